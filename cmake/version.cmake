# Compiles the build's identity (runtime/version.h) into the library.
#
# Included by the project it declares the step; run with `cmake -P` at each build it asks git and rewrites version.c only
# where something changed, so that an unchanged tree rebuilds nothing.
if(NOT CMAKE_SCRIPT_MODE_FILE)
  string(TOUPPER "${CMAKE_BUILD_TYPE}" type)
  string(STRIP "${CMAKE_C_FLAGS} ${CMAKE_C_FLAGS_${type}}" flags)
  set(optimised true)
  if(MMC_SANITIZE OR NOT flags MATCHES "-O[23s]")
    set(optimised false)
  endif()
  set(generated ${PROJECT_BINARY_DIR}/generated/version.c)
  add_custom_target(mmc_version_stamp
    COMMAND ${CMAKE_COMMAND} "-DMMC_SOURCE=${PROJECT_SOURCE_DIR}" "-DMMC_OUTPUT=${generated}"
            "-DMMC_VERSION=${PROJECT_VERSION}" "-DMMC_COMPILER=${CMAKE_C_COMPILER_ID} ${CMAKE_C_COMPILER_VERSION}"
            "-DMMC_FLAGS=${flags}" "-DMMC_BUILD_TYPE=${CMAKE_BUILD_TYPE}" "-DMMC_SANITIZE=${MMC_SANITIZE}"
            "-DMMC_OPTIMISED=${optimised}" -P ${CMAKE_CURRENT_LIST_FILE}
    BYPRODUCTS ${generated}
    COMMENT "Asking git for the commit" VERBATIM)
  target_sources(mmc PRIVATE ${generated})
  add_dependencies(mmc mmc_version_stamp)
  return()
endif()

set(MMC_COMMIT unknown)
set(MMC_DIRTY false)
find_program(git git)
# A source tree unpacked inside somebody else's repository must not take that repository's commit for its own.
if(git AND EXISTS ${MMC_SOURCE}/.git)
  execute_process(COMMAND ${git} -C ${MMC_SOURCE} rev-parse --verify HEAD
                  OUTPUT_VARIABLE commit RESULT_VARIABLE failed OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(NOT failed)
    set(MMC_COMMIT ${commit})
    execute_process(COMMAND ${git} -C ${MMC_SOURCE} status --porcelain --untracked-files=no
                    OUTPUT_VARIABLE changes OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    if(changes)
      set(MMC_DIRTY true)
    endif()
  endif()
endif()
string(REPLACE "\"" "\\\"" MMC_FLAGS "${MMC_FLAGS}")
configure_file(${CMAKE_CURRENT_LIST_DIR}/version.c.in ${MMC_OUTPUT} @ONLY)
