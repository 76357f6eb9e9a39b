# Build options and the flags that all targets share.
option(MMC_TESTS "Build the tests (needs GoogleTest)" ON)
option(MMC_WERROR "Treat warnings as errors" ON)
option(MMC_FUZZ "Build the libFuzzer targets (needs clang)" OFF)
option(MMC_CUDA_GATE "Keep what nvcc says and makes of the kernels, for ci/cuda-compile.sh" OFF)
set(MMC_ONEDNN AUTO CACHE STRING "oneDNN provider: AUTO, ON or OFF")
set(MMC_SANITIZE "" CACHE STRING "Sanitizers, for example address,undefined")
set_property(CACHE MMC_ONEDNN PROPERTY STRINGS AUTO ON OFF)
if(NOT MMC_ONEDNN MATCHES "^(AUTO|ON|OFF)$")
  message(FATAL_ERROR "MMC_ONEDNN=${MMC_ONEDNN}: give AUTO, ON or OFF.")
endif()

# Floating point: contraction is allowed (fused multiply-add), reassociation is not.
add_library(mmc_warnings INTERFACE)
target_compile_options(mmc_warnings INTERFACE
  -Wall -Wextra -Wshadow -Wpointer-arith -Wwrite-strings -Wundef -Wvla -Wformat=2
  $<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes -Wmissing-prototypes>
  $<$<BOOL:${MMC_WERROR}>:-Werror> -fno-math-errno)
if(MMC_SANITIZE)
  add_compile_options("$<$<COMPILE_LANGUAGE:C,CXX>:-fsanitize=${MMC_SANITIZE};-fno-omit-frame-pointer;-fno-sanitize-recover=all>")
  add_link_options(-fsanitize=${MMC_SANITIZE})
endif()
if(MMC_FUZZ)
  if(NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "MMC_FUZZ=ON needs clang, this is ${CMAKE_C_COMPILER_ID}: configure with `cmake --preset fuzz`.")
  endif()
  add_compile_options(-fsanitize=fuzzer-no-link -Wno-pass-failed) # instrumented loops need not vectorise
endif()
