# Installation: program, library, headers, package files, documentation, licence.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

install(TARGETS mmcbench RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS mmc mmc_dependencies EXPORT mmcbenchTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})

# A public header lies directly in its room; what lies deeper belongs to one provider.
foreach(room kernels runtime reports)
  file(GLOB headers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${room}/*.h)
  install(FILES ${headers} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/mmcbench/${room})
endforeach()

set(package ${CMAKE_INSTALL_LIBDIR}/cmake/mmcbench)
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/mmcbenchConfig.cmake.in ${PROJECT_BINARY_DIR}/mmcbenchConfig.cmake
                              INSTALL_DESTINATION ${package})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/mmcbenchConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(EXPORT mmcbenchTargets NAMESPACE mmcbench:: DESTINATION ${package})
install(FILES ${PROJECT_BINARY_DIR}/mmcbenchConfig.cmake ${PROJECT_BINARY_DIR}/mmcbenchConfigVersion.cmake
              ${PROJECT_SOURCE_DIR}/cmake/FindOneDNN.cmake ${PROJECT_SOURCE_DIR}/cmake/FindcuDNN.cmake
              ${PROJECT_SOURCE_DIR}/cmake/FindNCCL.cmake DESTINATION ${package})

# pkg-config finds its prefix from where the file lies, so the tree may be moved.
set(MMC_PC_PRIVATE "")
if(MMC_ONEDNN_FOUND)
  set(MMC_PC_PRIVATE "${ONEDNN_LIBRARY} ")
endif()
if(MMC_CUDA_FOUND)
  string(APPEND MMC_PC_PRIVATE "${CUDA_cudart_static_LIBRARY} -lstdc++ -lpthread -ldl -lrt ")
endif()
foreach(library CUDNN NCCL)
  if(MMC_${library}_FOUND)
    string(PREPEND MMC_PC_PRIVATE "${${library}_LIBRARY} ")
  endif()
endforeach()
file(RELATIVE_PATH MMC_PC_PREFIX /p/${CMAKE_INSTALL_LIBDIR}/pkgconfig /p)
string(REGEX REPLACE "/$" "" MMC_PC_PREFIX ${MMC_PC_PREFIX})
configure_file(${PROJECT_SOURCE_DIR}/cmake/mmcbench.pc.in ${PROJECT_BINARY_DIR}/mmcbench.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/mmcbench.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

install(FILES README.md CHANGELOG.md LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY docs DESTINATION ${CMAKE_INSTALL_DOCDIR} FILES_MATCHING PATTERN "*.md" PATTERN "*.csv" PATTERN "*.svg" PATTERN "*.png")
