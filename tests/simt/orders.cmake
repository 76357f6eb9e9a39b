# Small odd cases in several orders of threads, blocks and operations: the same bits in each, and every kernel has run.
# Five orders each time, a hundred under the label slow.
set(simt_ordered "")

# mmc_simt_orders(PROGRAM FILTER source.cu...): the tests of PROGRAM that FILTER names launch every kernel of the sources.
function(mmc_simt_orders program filter)
  if(NOT TARGET ${program})
    return()
  endif()
  set(names "")
  foreach(source ${ARGN})
    file(STRINGS ${PROJECT_SOURCE_DIR}/kernels/cuda/${source} launches REGEX "MMC_LAUNCH")
    string(REGEX MATCHALL "[a-z0-9_]+_kernel" found "${launches}")
    list(APPEND names ${found})
  endforeach()
  list(REMOVE_DUPLICATES names)
  string(REPLACE ";" " " names "${names}")
  foreach(orders 5 100)
    set(test simt_orders_${orders}.${program})
    add_test(NAME ${test} COMMAND ${program} --gtest_brief=1 --gtest_filter=${filter} --gtest_repeat=${orders})
    set_tests_properties(${test} PROPERTIES LABELS simt ENVIRONMENT
                         "OMP_NUM_THREADS=1;OMP_WAIT_POLICY=passive;MMC_SIMT_KERNELS=${names}")
  endforeach()
  set_tests_properties(simt_orders_100.${program} PROPERTIES LABELS "simt;slow" TIMEOUT 3000)
  set(simt_ordered ${simt_ordered} ${ARGN} PARENT_SCOPE)
endfunction()

mmc_simt_orders(simt_unit_parity_test
  *Agrees*cuda_own*odd_plane:*Agrees*cuda_own*one_image_smallest:*Agrees*cuda_own*pointwise
  batchnorm_backward.cu conv_backward_data.cu conv_backward_weights.cu conv_forward.cu normalise.cu pack.cu
  start.cu)
mmc_simt_orders(simt_flat_parity_test *
  head.cu interpolate.cu loss.cu mirror.cu sgd.cu statistics.cu)
mmc_simt_orders(simt_boundary_test * boundary.cu render.cu)
mmc_simt_orders(simt_match_test * assign.cu correlation.cu)
mmc_simt_orders(simt_class_means_test * class_means.cu)
mmc_simt_orders(simt_mlp_test * mlp.cu)
