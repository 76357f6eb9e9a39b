# Installation of the program, the library, headers and package files.
install(TARGETS mmcbench RUNTIME DESTINATION bin)
