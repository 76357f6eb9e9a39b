// NCCL in one process: a group's operation exists once every rank has joined it; a rank that is missing would hang.
// Sums run in the order of the ranks.
#include "tests/simt/host.h"

#include <algorithm>
#include <nccl.h>

using namespace simt;

struct ncclComm {
    int rank, ranks, device;
    bool alive = true;
};

namespace {
enum class What { all_reduce, broadcast };

struct RankCall {
    What what;
    const void *send;
    void *recv;
    size_t count;
    ncclDataType_t type;
    ncclRedOp_t op;
    int root;
    ncclComm_t comm;
    cudaStream_t stream;
    const void *pc;
};
int depth;
std::vector<RankCall> calls;            // of the open group
ncclResult_t group_error = ncclSuccess; // of its first call that failed: the group is not launched

size_t type_bytes(ncclDataType_t t) {
    switch (t) {
    case ncclFloat32:
    case ncclInt32:
    case ncclUint32:
        return 4;
    case ncclFloat64:
    case ncclInt64:
    case ncclUint64:
        return 8;
    default:
        return 0;
    }
}

template <class T> void reduce(const std::vector<RankCall> &group, ncclRedOp_t op) {
    size_t count = group[0].count;
    std::vector<T> sum(count);
    for (size_t r = 0; r < group.size(); r++) {
        auto *in = static_cast<const T *>(group[r].send);
        for (size_t i = 0; i < count; i++)
            sum[i] = !r              ? in[i]
                     : op == ncclMax ? std::max(sum[i], in[i])
                     : op == ncclMin ? std::min(sum[i], in[i])
                                     : sum[i] + in[i];
    }
    if (op == ncclAvg)
        for (T &v : sum)
            v /= T(group.size());
    for (const RankCall &c : group)
        memcpy(c.recv, sum.data(), count * sizeof(T));
}

void run(const std::vector<RankCall> &group) {
    size_t bytes = group[0].count * type_bytes(group[0].type);
    for (const RankCall &c : group)
        if (c.what == What::all_reduce || c.comm->rank == c.root)
            host_access(c.send, bytes, Kind::read);
    for (const RankCall &c : group)
        host_access(c.recv, bytes, Kind::write);
    if (group[0].what == What::broadcast) {
        const void *from = nullptr;
        for (const RankCall &c : group)
            if (c.comm->rank == c.root)
                from = c.send;
        std::vector<char> data(static_cast<const char *>(from), static_cast<const char *>(from) + bytes);
        for (const RankCall &c : group)
            memcpy(c.recv, data.data(), bytes);
        return;
    }
    switch (group[0].type) {
    case ncclFloat32:
        return reduce<float>(group, group[0].op);
    case ncclFloat64:
        return reduce<double>(group, group[0].op);
    case ncclInt32:
        return reduce<int32_t>(group, group[0].op);
    case ncclUint32:
        return reduce<uint32_t>(group, group[0].op);
    case ncclInt64:
        return reduce<int64_t>(group, group[0].op);
    default:
        return reduce<uint64_t>(group, group[0].op);
    }
}

const char *name_of(const RankCall &c) {
    return c.what == What::all_reduce ? "ncclAllReduce" : "ncclBroadcast";
}

// The k-th call of every rank belongs together.
ncclResult_t finish() {
    std::vector<RankCall> all;
    all.swap(calls);
    while (!all.empty()) {
        std::vector<RankCall> group, rest;
        std::set<int> ranks;
        for (const RankCall &c : all)
            if (ranks.insert(c.comm->rank).second)
                group.push_back(c);
            else
                rest.push_back(c);
        const RankCall &first = group[0];
        if (int(group.size()) != first.comm->ranks)
            stop("hang: %s issued at %s is called by %zu of %d ranks in its group", name_of(first),
                 source_line(first.pc).c_str(), group.size(), first.comm->ranks);
        std::vector<cudaStream_t> on;
        for (const RankCall &c : group) {
            if (c.what != first.what || c.count != first.count || c.type != first.type || c.op != first.op ||
                c.root != first.root)
                stop("%s issued at %s: the ranks disagree on what to do", name_of(c), source_line(c.pc).c_str());
            on.push_back(c.stream);
        }
        std::sort(group.begin(), group.end(), [](auto &a, auto &b) { return a.comm->rank < b.comm->rank; });
        auto work = [group] { run(group); };
        cudaError_t e =
            group.size() == 1 ? enqueue(on[0], name_of(first), work) : enqueue_together(on, name_of(first), work);
        if (e)
            return ncclUnhandledCudaError;
        all.swap(rest);
    }
    return ncclSuccess;
}

ncclResult_t accept(const RankCall &c) {
    ncclComm_t comm = c.comm;
    if (!comm || !comm->alive || !type_bytes(c.type) || c.op > ncclAvg || c.op == ncclProd)
        return ncclInvalidArgument;
    size_t bytes = c.count * type_bytes(c.type);
    bool reads = c.what == What::all_reduce || comm->rank == c.root;
    if (!c.recv || (reads && !c.send) || c.root < 0 || c.root >= comm->ranks)
        return ncclInvalidArgument;
    if (device_of(c.recv) != comm->device || (reads && device_of(c.send) != comm->device))
        stop("%s issued at %s: the memory is not of device %d, the device of rank %d", name_of(c),
             source_line(c.pc).c_str(), comm->device, comm->rank);
    check_device_range(c.recv, bytes, name_of(c), c.pc);
    if (reads)
        check_device_range(c.send, bytes, name_of(c), c.pc);
    auto *s = static_cast<const char *>(c.send), *r = static_cast<const char *>(c.recv);
    if (reads && s != r && s < r + bytes && r < s + bytes)
        return ncclInvalidUsage; // neither in place nor apart
    if (c.stream && (!valid(c.stream) || c.stream->device != comm->device))
        return ncclInvalidArgument;
    calls.push_back(c);
    return depth ? ncclSuccess : finish();
}

ncclResult_t add(const char *call, const RankCall &c) {
    int code = 0;
    ncclResult_t result = told_to_fail(call, &code) ? (code ? ncclResult_t(code) : ncclSystemError) : accept(c);
    if (depth && result != ncclSuccess && group_error == ncclSuccess)
        group_error = result;
    return result;
}

// Injected failure, counted by the call's name.
#define ENTER                                                                                                          \
    int simt_code = 0;                                                                                                 \
    if (told_to_fail(__func__, &simt_code))                                                                            \
    return simt_code ? ncclResult_t(simt_code) : ncclSystemError
} // namespace

extern "C" {
ncclResult_t ncclGetVersion(int *version) {
    ENTER;
    if (!version)
        return ncclInvalidArgument;
    *version = NCCL_VERSION_CODE;
    return ncclSuccess;
}

const char *ncclGetErrorString(ncclResult_t r) {
    switch (r) {
    case ncclSuccess:
        return "no error";
    case ncclUnhandledCudaError:
        return "unhandled cuda error";
    case ncclSystemError:
        return "unhandled system error";
    case ncclInternalError:
        return "internal error";
    case ncclInvalidArgument:
        return "invalid argument";
    case ncclInvalidUsage:
        return "invalid usage";
    default:
        return "unknown result code";
    }
}

const char *ncclGetLastError(ncclComm_t) {
    return "";
}

ncclResult_t ncclCommInitAll(ncclComm_t *comms, int ranks, const int *devices) {
    ENTER;
    if (!comms || ranks < 1)
        return ncclInvalidArgument;
    std::set<int> seen;
    for (int r = 0; r < ranks; r++) {
        int device = devices ? devices[r] : r;
        if (device < 0 || device >= device_count())
            return ncclInvalidArgument;
        if (!seen.insert(device).second)
            return ncclInvalidUsage; // two ranks of one device
    }
    for (int r = 0; r < ranks; r++) {
        comms[r] = new ncclComm{r, ranks, devices ? devices[r] : r};
        live_add(comms[r], "NCCL communicator created", SIMT_CALLER);
    }
    return ncclSuccess;
}

ncclResult_t ncclCommDestroy(ncclComm_t comm) {
    int code = 0;
    bool late = told_to_fail(__func__, &code);
    if (!comm || !comm->alive || !live_remove(comm, "NCCL communicator created"))
        return ncclInvalidArgument;
    wait_for_device(comm->device);
    comm->alive = false;
    return late ? ncclSystemError : ncclSuccess;
}

ncclResult_t ncclCommCount(const ncclComm_t comm, int *count) {
    ENTER;
    if (!comm || !comm->alive || !count)
        return ncclInvalidArgument;
    *count = comm->ranks;
    return ncclSuccess;
}

ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t *error) {
    ENTER;
    if (!comm || !comm->alive || !error)
        return ncclInvalidArgument;
    *error = ncclSuccess;
    return ncclSuccess;
}

ncclResult_t ncclGroupStart(void) {
    ENTER;
    depth++;
    return ncclSuccess;
}

ncclResult_t ncclGroupEnd(void) {
    int code = 0;
    bool fails = told_to_fail(__func__, &code);
    if (!depth)
        return ncclInvalidUsage;
    if (--depth)
        return ncclSuccess;
    ncclResult_t error = fails ? (code ? ncclResult_t(code) : ncclSystemError) : group_error;
    group_error = ncclSuccess;
    if (error == ncclSuccess)
        return finish();
    calls.clear();
    return error;
}

ncclResult_t ncclAllReduce(const void *send, void *recv, size_t count, ncclDataType_t type, ncclRedOp_t op,
                           ncclComm_t comm, cudaStream_t stream) {
    return add(__func__, {What::all_reduce, send, recv, count, type, op, 0, comm, stream, SIMT_CALLER});
}

ncclResult_t ncclBroadcast(const void *send, void *recv, size_t count, ncclDataType_t type, int root, ncclComm_t comm,
                           cudaStream_t stream) {
    return add(__func__, {What::broadcast, send, recv, count, type, ncclSum, root, comm, stream, SIMT_CALLER});
}
}
