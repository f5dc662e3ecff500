#!/bin/sh
# A FAQ in two languages, from a sheet to a model that was measured before and after:
#
#   sh examples/faq/run.sh WORK
#
# Needs isoglot[offline,clean]. WORK is a folder that is made.
set -eu

HERE=$(cd "$(dirname "$0")" && pwd)
ISOGLOT=${ISOGLOT:-isoglot}
mkdir -p "${1:?a folder to work in}"
cd "$1"

$ISOGLOT data check "table:$HERE/faq.csv?query=Question&passage=Answer&lang=Language&id=Nr" --clean faq.jsonl
$ISOGLOT data benchmark faq.jsonl --output held-out --holdout .4 --rest training.jsonl
$ISOGLOT evaluate offline:multilingual-e5-small held-out --output before
$ISOGLOT train --pairs training.jsonl --base offline:multilingual-e5-small --steps 20 --batch-size 8 --output run
$ISOGLOT evaluate run held-out --output after
$ISOGLOT compare before after
