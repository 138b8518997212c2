#!/usr/bin/env bash
# fer7: FER+, CK+ and RAF-DB under the seven basic emotions, each face in one split.
#
# Needs the three datasets below data/ (or FERDATA_DATA, or FERDATA_ROOT_<NAME>); `ferdata datasets show NAME` says how
# each is obtained.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH="$PWD/.venv/bin:$PATH" # what `make` has installed, where it has

# Images that are files stay where they are; the manifests point at them.
ferdata ingest ferplus --votes majority -o manifests/ferplus.parquet --force
ferdata ingest ckplus -o manifests/ckplus.parquet --force
ferdata ingest rafdb -o manifests/rafdb.parquet --force

# Contempt has no class here: its faces stay in the manifest, out of training. Faces that stand in test and in
# train are kept in test; official splits are kept where there are some, and CK+ is split by person.
ferdata merge manifests/ferplus.parquet manifests/ckplus.parquet manifests/rafdb.parquet \
    --taxonomy basic7 -o manifests/fer7.parquet --force

ferdata validate manifests/fer7.parquet
ferdata stats manifests/fer7.parquet
