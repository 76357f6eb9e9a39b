# Faults: each is compiled into a program of its own and has to be caught.
find_program(SIMT_PYTHON NAMES python3 python)
find_program(SIMT_PATCH patch)
mark_as_advanced(SIMT_PYTHON SIMT_PATCH)
if(SIMT_PYTHON AND SIMT_PATCH AND CMAKE_GENERATOR STREQUAL "Ninja" AND TARGET simt_unit_parity_test)
  foreach(part RANGE 3)
    add_test(NAME simt_faults.${part} COMMAND ${SIMT_PYTHON} ${PROJECT_SOURCE_DIR}/tests/simt/faults/faults.py
                                              ${PROJECT_BINARY_DIR} --shard ${part}/4)
    set_tests_properties(simt_faults.${part} PROPERTIES LABELS "simt;slow" TIMEOUT 3000)
  endforeach()
endif()
