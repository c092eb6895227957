#!/bin/sh
# Build KenLM's lmplz, the independent estimator that kenlm_parity.py compares with.
#
#   apt-get install cmake g++ zlib1g-dev libboost-dev libboost-program-options-dev \
#       libboost-system-dev libboost-thread-dev libboost-test-dev
#   benchmarks/build_lmplz.sh FOLDER      # outside the repository; about 2 minutes
#
# Prints the path of the program. KenLM (LGPL) is fetched from PyPI, pinned by sha256.
set -eu
folder=${1:?usage: build_lmplz.sh FOLDER}
mkdir -p "$folder/build"
cd "$folder"
echo "kenlm==0.3.0 --hash=sha256:c4628bb9fb63c8a6f9240035b8b037385cfc404cb72e933cf48878291edac1e8" > pin.txt
python3 -m pip download --quiet --no-deps --no-binary kenlm --require-hashes -r pin.txt -d . >&2
tar xzf kenlm-0.3.0.tar.gz
cd build
cmake ../kenlm-0.3.0 -DCMAKE_BUILD_TYPE=Release > cmake.log
make lmplz > make.log 2>&1
echo "$PWD/bin/lmplz"
