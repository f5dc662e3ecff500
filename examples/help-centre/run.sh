#!/bin/sh
# A help centre in many languages: pairs and a benchmark from its pages, a retriever trained on some of its languages, and
# measured before and after in all of them. On a Debian or Ubuntu machine:
#
#   sh examples/help-centre/run.sh WORK [data|base|train|trained|tables]     (default: all of them, in this order)
#
# WORK is a folder for about 2 GB. Steps that are done are not done again, and training that was interrupted goes on. One thread
# is used: OMP_NUM_THREADS says otherwise.
set -eu

WORK=${1:?a folder to work in}
STEPS=${2:-data base train trained tables}
HERE=$(cd "$(dirname "$0")" && pwd)
ISOGLOT=${ISOGLOT:-isoglot}
PYTHON=${PYTHON:-python3}
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"

PACKAGES="cs de el en-us es fr hi it ja ko nl pl pt-br ru tr vi zh-cn zh-tw"
TRAINED="de en es ru tr zh"
# Hindi's help is hardly translated: it is in the pairs and too small to be measured
MEASURED="cs de el en es fr it ja ko nl pl pt-BR ru tr vi zh zh-Hant"

mkdir -p "$WORK"
cd "$WORK"

data() {
    [ ! -e pairs.jsonl ] || return 0
    # `apt-get install` puts the same files under /usr/share; this needs no rights and leaves nothing behind
    mkdir -p packages
    (cd packages && apt-get download $(printf 'libreoffice-help-%s ' $PACKAGES))
    for package in packages/*.deb; do dpkg-deb -x "$package" files; done
    $ISOGLOT data from-docs 'files/usr/share/libreoffice/help/{lang}/text/**/*.html' --source-language en \
        --holdout 3% --output pairs.jsonl > counts.txt
    cat counts.txt
}

base() {
    [ -e base/summary.json ] || $ISOGLOT evaluate offline:multilingual-e5-small pairs-held-out --languages $MEASURED \
        --precision bf16 --output base
}

train() {
    [ ! -e run/model ] || return 0
    $ISOGLOT train --pairs pairs.jsonl --recipe isoglot --base offline:multilingual-e5-small \
        --languages $TRAINED --steps 100 --max-length 128 --precision bf16 --output run $([ ! -e run/run.json ] || echo --resume)
}

trained() {
    [ -e trained/summary.json ] || $ISOGLOT evaluate run/model pairs-held-out --languages $MEASURED \
        --precision bf16 --output trained
}

tables() {
    $PYTHON "$HERE/tables.py" counts.txt base trained --trained-on $TRAINED --output "$HERE/results"
    $ISOGLOT compare base trained
}

for step in $STEPS; do "$step"; done
