#!/usr/bin/env bash
# Five newcomers, from a clean clone in an empty environment: does each get through, and see what they should?
#
#   bash benchmarks/first_hour.sh [WORK]      # WORK: a folder that is made (default: a temporary one)
#
# 1 sheet: a FAQ in two languages, saved by an old spreadsheet -> a model that was measured before and after, and is searched
# 2 own model: a folder of sentence-transformers on XQuAD-R (found by ISOGLOT_DATA, else downloaded)
# 3 Python only
# 4 twenty mistakes: exit code 2, and the word that helps, in the last line
# 5 compare and plot
#
# Prints what was checked and seconds; exit code 1 where anything is not as it should be. Needs a package registry and git.
set -uo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
WORK=${1:-$(mktemp -d)}
PYTHON=${PYTHON:-python3}
BASE=offline:multilingual-e5-small
mkdir -p "$WORK" && cd "$WORK" || exit 1
export XDG_CACHE_HOME="$WORK/cache" PIP_CONSTRAINT="$HERE/constraints.txt" MPLBACKEND=Agg
failed=0 checks=0

say() { printf '%s\n' "$*"; }
wrong() { failed=$((failed + 1)); say "  WRONG: $*"; sed 's/^/    | /' out | tail -12; }
lap() { say "  $((SECONDS - began)) s"; began=$SECONDS; }

# run LABEL PATTERN COMMAND...: ends well, and what it prints has the pattern
run() {
  local label=$1 pattern=$2; shift 2; checks=$((checks + 1))
  if ! "$@" > out 2>&1; then wrong "$label: exit code is not 0: $*"
  elif ! grep -qE -- "$pattern" out; then wrong "$label: does not print /$pattern/"
  else say "  ok $label"; fi
}

# refused PATTERN COMMAND...: exit code 2, one last line with the pattern, no traceback
refused() {
  local pattern=$1; shift; checks=$((checks + 1))
  "$@" > out 2>&1; local code=$?
  if [ $code != 2 ]; then wrong "exit code $code: $*"
  elif grep -q Traceback out; then wrong "a traceback: $*"
  elif ! tail -n 1 out | grep -qE -- "$pattern"; then wrong "the last line has no /$pattern/: $*"
  else say "  ok refused: ${*#*/bin/}"; fi
}

# there FILE...
there() { for file; do checks=$((checks + 1)); if [ -s "$file" ]; then say "  ok $file"; else : > out; wrong "$file is not there"; fi; done; }

began=$SECONDS
say "0 install"
git clone --quiet "$HERE" clone || exit 1
"$PYTHON" -m venv venv
run "pip install isoglot[offline,index,clean]" "" venv/bin/python -m pip install --quiet --disable-pip-version-check "./clone[offline,index,clean]"
I=$WORK/venv/bin/isoglot
run "--version" "[0-9]+\.[0-9]+" "$I" --version
run "help names the commands" "repair" "$I" --help
lap

say "1 sheet"
iconv -f utf-8 -t cp1252 clone/examples/faq/faq.csv > faq.csv
SHEET='table:faq.csv?query=Question&passage=Answer&lang=Language&id=Nr'
run "data check" "cp1252" "$I" data check "$SHEET" --clean faq.jsonl
run "data benchmark" "" "$I" data benchmark faq.jsonl --output held-out --holdout .4 --rest training.jsonl
run "evaluate" "multi" "$I" evaluate $BASE held-out --output before
run "train" "20 steps" "$I" train --pairs training.jsonl --base $BASE --steps 20 --batch-size 8 --output run
run "evaluate what was trained" "multi" "$I" evaluate run held-out --output after
run "compare" "nDCG@10" "$I" compare before after
run "index" "" "$I" index run faq.jsonl --output index
run "search" "Bibliothek|library" "$I" search index "Wann ist die Bibliothek offen?" -k 4
run "a benchmark of what was trained on" "" "$I" data benchmark training.jsonl --output seen
run "a leak is said" "[Tt]rain(ing|ed)" "$I" evaluate run seen
lap

say "2 own model"
venv/bin/python - > out 2>&1 <<'PYTHON'
from sentence_transformers import SentenceTransformer

from isoglot.models.offline import offline_base

model = SentenceTransformer(str(offline_base()))
model.prompts = {}  # forgotten, as they often are
model.save_pretrained("own-model")
PYTHON
there own-model/modules.json
run "XQuAD-R, and a word on the prompts" "prompt" "$I" evaluate own-model xquad-r --precision bf16 --output own
run "its figures" "rank distance|cross" "$I" compare one=own two=own
there own/summary.json own/per_query.parquet
lap

say "3 Python only"
cat > first.py <<'PYTHON'
import isoglot

result = isoglot.evaluate("offline:multilingual-e5-small", "faq", progress=False)
print(result)
frame = result.to_pandas()
assert len(frame) and "<table" in result._repr_html_()
settings = isoglot.TrainSettings(pairs=("training.jsonl",), output="by-python", base="offline:multilingual-e5-small", steps=4, batch_size=8)
print(isoglot.train(settings))
print(isoglot.compare([result, isoglot.evaluate("by-python", "faq", progress=False)]))
assert {"train", "evaluate", "compare", "TrainSettings", "load_model"} <= {*dir(isoglot)}
PYTHON
run "a script" "multi" venv/bin/python first.py
there by-python/model/README.md
lap

say "4 twenty mistakes"
refused "did you mean 'train'" "$I" trian --pairs faq.jsonl
refused "did you mean --learning-rate" "$I" train --pairs faq.jsonl --lr 1e-4 --output r
refused "fak.csv: no such file" "$I" train --pairs fak.csv --output r
refused "output is missing" "$I" train --pairs faq.jsonl
refused "columns" "$I" train --pairs faq.csv --output r
refused "did you mean 'own-model'" "$I" evaluate own-modle held-out
refused "did you mean 'cuda'" "$I" train --pairs faq.jsonl --output r --device gpu
refused "unknown setting 'alpha'" "$I" train --pairs faq.jsonl --output r alpha=2
refused "did you mean 'paper'" "$I" train --pairs faq.jsonl --output r --recipe papr
refused "models come first" "$I" evaluate faq $BASE
refused "did you mean 'faq'" "$I" evaluate $BASE fak
refused "BENCHMARK is missing" "$I" evaluate $BASE
refused "such as nDCG@10" "$I" evaluate $BASE faq --measures nDCG@ten
refused "unknown setting 'mixed'" "$I" evaluate $BASE faq --settings mixed
refused "overwrite" "$I" evaluate $BASE held-out --output before
refused "no such folder" "$I" compare nothing here
refused "isoglot index MODEL" "$I" search nowhere "How?"
refused "did you mean 'lareqa'" "$I" study run lareqqa --output s
refused "did you mean 'lsar'" "$I" debias $BASE --method lsra --fit faq.jsonl --output d
refused "resume|overwrite" "$I" train --pairs training.jsonl --base $BASE --steps 20 --batch-size 8 --output run
for left in r s d; do checks=$((checks + 1)); [ ! -e $left ] || { : > out; wrong "a mistake left '$left' behind"; }; done
lap

say "5 compare and plot"
run "compare with pictures" "nDCG@10" "$I" compare before after --plot pictures
run "evaluate with pictures and the table of the papers" "de" "$I" evaluate $BASE held-out --output again --plot plots --table languages
for folder in pictures plots; do there "$folder"/*.svg; done
refused "not allowed with|not both" "$I" evaluate $BASE held-out --table languages --json
run "JSON" '"multi"' "$I" evaluate $BASE held-out --json
lap

say "$((checks - failed)) of $checks checks hold; $SECONDS s in all, installation included"
[ $failed = 0 ]
