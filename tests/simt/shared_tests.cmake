# The tests that every provider takes, compiled for the emulated backend: parity with the reference, golden numbers.
function(mmc_simt_parity name mode labels source)
  mmc_simt_test(${name} ${mode} "${labels}" ${PROJECT_SOURCE_DIR}/tests/parity/${source})
  target_compile_definitions(${name} PRIVATE MMC_PARITY_EMULATED)
  if(SIMT_CUDNN_INCLUDE_DIR)
    target_compile_definitions(${name} PRIVATE MMC_PARITY_CUDNN)
  endif()
endfunction()
mmc_simt_parity(simt_flat_parity_test checked simt flat_test.cpp)
mmc_simt_parity(simt_unit_parity_test checked simt unit_test.cpp)
mmc_simt_parity(simt_network_parity_test plain simt network_test.cpp)

foreach(part network path train finetune)
  mmc_simt_test(simt_${part}_golden_test plain simt ${PROJECT_SOURCE_DIR}/tests/golden/${part}_test.cpp)
  target_compile_definitions(simt_${part}_golden_test PRIVATE MMC_GOLDEN_EMULATED)
endforeach()
foreach(part path finetune)
  mmc_simt_test(simt_${part}_golden_slow_test plain slow ${PROJECT_SOURCE_DIR}/tests/golden/${part}_test.cpp)
  target_compile_definitions(simt_${part}_golden_slow_test PRIVATE MMC_GOLDEN_EMULATED MMC_SLOW)
endforeach()

# A suite at toy size, from data to records.
mmc_simt_test(simt_run_test plain simt ${PROJECT_SOURCE_DIR}/tests/suite/device_test.cpp)

# Launches, recordings, points together.
mmc_simt_test(simt_steps_test plain simt steps_test.cpp)
