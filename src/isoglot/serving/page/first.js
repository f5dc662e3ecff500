// Before the first paint (modules come after it), so that nothing jumps: the reader's own choice of light or dark, and
// whether the page opens with a question.
try {
  document.documentElement.dataset.theme = localStorage.getItem("isoglot-theme") ?? "";
} catch {
  // storage is switched off: the system's choice holds
}
document.documentElement.classList.toggle("start", !new URLSearchParams(location.search).get("q")?.trim());
