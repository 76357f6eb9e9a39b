# The parity list under the limits of every GPU. The default device is an A100; what the limits of the others change is
# run each time, the whole list under the label slow. Whole programs: a property of discovered tests cannot hold a list.
foreach(gpu h100 4090)
  set(wide "*AgreesWithTheReference/*own_?f*_wide*:*AgreesWithTheReference/*own_?f*_last_stage")
  add_test(NAME simt_gpu_${gpu} COMMAND simt_unit_parity_test --gtest_brief=1 "--gtest_filter=${wide}")
  set_tests_properties(simt_gpu_${gpu} PROPERTIES LABELS simt)
  set(all simt_gpu_${gpu})
  foreach(program unit_parity flat_parity network_parity boundary forward match class_means mlp)
    set(test simt_gpu_all_${gpu}.${program})
    add_test(NAME ${test} COMMAND simt_${program}_test --gtest_brief=1)
    set_tests_properties(${test} PROPERTIES LABELS "simt;slow")
    list(APPEND all ${test})
  endforeach()
  set_tests_properties(${all} PROPERTIES TIMEOUT 3000
                       ENVIRONMENT "MMC_SIMT_GPU=${gpu};OMP_NUM_THREADS=1;OMP_WAIT_POLICY=passive")
endforeach()
