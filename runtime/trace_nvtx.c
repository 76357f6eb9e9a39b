/* Ranges by NVTX: a header alone, which loads a profiler's library where the environment names one. */
#include "runtime/trace.h"

#include <nvtx3/nvToolsExt.h>
#include <threads.h>

static once_flag opened = ONCE_FLAG_INIT;
static nvtxDomainHandle_t domain; /* NULL: no profiler listens */

static void open_domain(void) {
    domain = nvtxDomainCreateA("mmcbench");
    if (!domain)
        return;
    nvtxDomainNameCategoryA(domain, MMC_TRACE_JOB, "job");
    nvtxDomainNameCategoryA(domain, MMC_TRACE_PHASE, "phase");
    nvtxDomainNameCategoryA(domain, MMC_TRACE_OPERATION, "operation");
}

bool mmc_trace_built(void) {
    return true;
}

static void push(mmc_trace_category category, const char *name, const uint64_t *payload) {
    call_once(&opened, open_domain);
    if (!domain)
        return;
    nvtxEventAttributes_t event = {.version = NVTX_VERSION,
                                   .size = NVTX_EVENT_ATTRIB_STRUCT_SIZE,
                                   .category = (uint32_t)category,
                                   .messageType = NVTX_MESSAGE_TYPE_ASCII,
                                   .message.ascii = name};
    if (payload) {
        event.payloadType = NVTX_PAYLOAD_TYPE_UNSIGNED_INT64;
        event.payload.ullValue = *payload;
    }
    nvtxDomainRangePushEx(domain, &event);
}

void mmc_trace_begin(mmc_trace_category category, const char *name) {
    push(category, name, NULL);
}

void mmc_trace_begin_unit(const char *name, const mmc_unit_shape *shape, int sets) {
    const uint64_t payload = mmc_trace_shape(shape, sets);
    push(MMC_TRACE_OPERATION, name, &payload);
}

mmc_status mmc_trace_end(mmc_status status) {
    if (domain)
        nvtxDomainRangePop(domain);
    return status;
}
