# Libraries, found or absent cleanly; reasons and licences are in docs/dependencies.md.
find_package(OpenMP REQUIRED COMPONENTS C)
find_package(ZLIB REQUIRED)
find_package(LibLZMA REQUIRED)
find_package(PNG REQUIRED)
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
find_package(PkgConfig REQUIRED)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)

set(MMC_ONEDNN_FOUND OFF)
if(NOT MMC_ONEDNN STREQUAL "OFF")
  find_package(OneDNN QUIET)
  set(MMC_ONEDNN_FOUND ${OneDNN_FOUND})
  if(MMC_ONEDNN STREQUAL "ON" AND NOT OneDNN_FOUND)
    message(FATAL_ERROR "MMC_ONEDNN=ON, but oneapi/dnnl/dnnl.h or libdnnl was not found (system folders and $DNNL_ROOT tried). "
                        "Install libdnnl-dev, set DNNL_ROOT, or configure with -DMMC_ONEDNN=OFF.")
  endif()
endif()

add_library(mmc_dependencies INTERFACE)
target_link_libraries(mmc_dependencies INTERFACE OpenMP::OpenMP_C ZLIB::ZLIB LibLZMA::LibLZMA PNG::PNG OpenSSL::Crypto
                                                 PkgConfig::JANSSON m)
if(MMC_ONEDNN_FOUND)
  target_link_libraries(mmc_dependencies INTERFACE OneDNN::dnnl)
endif()
