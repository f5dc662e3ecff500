#!/usr/bin/env bash
# The data of benchmarks/english_only.yaml: 200 English pairs, and what lexicons (and a translator) make of them.
#   ISOGLOT_DATA=... benchmarks/english_only.sh [WORK_DIR]      (a minute; the dictionaries are 25 MB of Debian's packages)
#   isoglot study run benchmarks/english_only.yaml --output runs/english-only/study
# WORK_DIR (default runs/english-only) gets english.jsonl, switched-*.jsonl with reports of how many words had an entry, and lexicons/.
# translated.jsonl needs Debian's apertium-eng-spa, apertium-eng-cat, apertium-en-gl and apertium-eo-en, all that apertium has from English
# (but for apertium-hbs-eng, which leaves half of the words English).
set -euo pipefail
cd "$(dirname "$0")/.."
work="${1:-runs/english-only}"
python="${PYTHON:-.venv/bin/python}"
isoglot="$python -m isoglot"
mkdir -p "$work/lexicons"

# FreeDict's dictionaries, unpacked without being installed; XLING-eval's word pairs from $ISOGLOT_DATA/lexicons
for code in ara deu ell hin rus spa tur; do
  [ -f "$work/lexicons/freedict-eng-$code.index" ] && continue
  (cd "$work/lexicons" && apt-get download "dict-freedict-eng-$code" && dpkg -x dict-freedict-eng-"$code"_*.deb unpacked && rm ./*.deb)
  mv "$work/lexicons/unpacked/usr/share/dictd/freedict-eng-$code".* "$work/lexicons/"
done
rm -rf "$work/lexicons/unpacked"
for lang in de fi fr hr it ru tr; do
  cat "$ISOGLOT_DATA/lexicons/en-$lang.train5k.tsv" "$ISOGLOT_DATA/lexicons/en-$lang.test2k.tsv" > "$work/lexicons/en-$lang.xling.tsv"
done

$python benchmarks/english_pairs.py "$work/english.jsonl"
$isoglot data audit "$work/english.jsonl" --against xquad-r faq --quiet --output "$work/audit.json" --overwrite
renamed() { # SOURCE FILE: rows of another source may lie in one table with the English ones
  sed "s/\"source\": \"english\"/\"source\": \"$1\"/" "$2"
}

switch() { # NAME LEXICON ...
  name="$1"
  shift
  for mode in bilingual multilingual; do
    $isoglot data switch "$work/english.jsonl" --lexicon "$@" --switch-mode $mode --output "$work/new.jsonl" \
      --overwrite --json > "$work/switched-$name-$mode.json"
    renamed "switched-$name-$mode" "$work/new.jsonl" > "$work/switched-$name-$mode.jsonl"
    rm "$work/new.jsonl"
  done
}
switch freedict "$work"/lexicons/freedict-eng-*.index
switch xling "$work"/lexicons/en-*.xling.tsv
$isoglot data translate "$work/english.jsonl" --from en --to es ca gl eo --codes es=eng-spa ca=eng-cat gl=en-gl eo=en-eo \
  --backend 'command:apertium -u {to}' --output "$work/new.jsonl" --overwrite
renamed translated "$work/new.jsonl" > "$work/translated.jsonl"
rm "$work/new.jsonl"
