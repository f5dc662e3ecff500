// Before the first paint (a module would come after it): the reader's own choice of light or dark, where there is one.
try {
  document.documentElement.dataset.theme = localStorage.getItem("isoglot-theme") ?? "";
} catch {
  // storage is switched off: the system's choice holds
}
