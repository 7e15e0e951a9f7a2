#!/bin/sh
# Builds ONNX Runtime's shared library with CUDA and TensorRT from its sources, on the board itself or in a container on it.
# Takes hours on a small board, and more memory than 8 GB with many JOBS. UNTRIED: docs/JETSON.md.
#
#     containers/build-onnxruntime.sh VERSION CUDA_ARCHITECTURES FOLDER
#     JOBS=2 containers/build-onnxruntime.sh 1.24.2 '87-real' /usr/local/lib/onnxruntime
#
# Options as https://onnxruntime.ai/docs/build/eps.html has them for Jetson, with --build_shared_lib: a wheel is not wanted.
set -eu

version=$1
architectures=$2
folder=$3
sources=${SOURCES:-/tmp/onnxruntime}

[ -d "$sources" ] || git clone --depth 1 --recursive --shallow-submodules --branch "v$version" \
    https://github.com/microsoft/onnxruntime "$sources"
cd "$sources"
./build.sh --config Release --update --build --parallel "${JOBS:-2}" --build_shared_lib --skip_tests \
    --allow_running_as_root --compile_no_warning_as_error \
    --use_cuda --cuda_home /usr/local/cuda --cudnn_home /usr/lib/aarch64-linux-gnu \
    --use_tensorrt --tensorrt_home /usr/lib/aarch64-linux-gnu \
    --cmake_extra_defines CMAKE_CUDA_ARCHITECTURES="$architectures" onnxruntime_BUILD_UNIT_TESTS=OFF

# The providers are looked for beside the library.
mkdir -p "$folder"
cp -a build/Linux/Release/libonnxruntime.so* build/Linux/Release/libonnxruntime_providers_*.so "$folder"
for file in libonnxruntime.so libonnxruntime_providers_shared.so libonnxruntime_providers_cuda.so \
    libonnxruntime_providers_tensorrt.so; do
    [ -e "$folder/$file" ] || { echo "$folder/$file was not built" >&2; exit 1; }
done
