// Stream capture and graphs.
//
// A capture records nodes with their dependencies through fork and join. A synchronisation, an allocation, work of the
// null stream or a pageable copy inside breaks it (901 at its end); a fork that is not joined gives 904. A replay
// issues the nodes as operations again, in every order that the edges allow: branches that conflict are reported.
#include "tests/simt/host.h"

#include <algorithm>

using namespace simt;

namespace {
// One chain for each path of nodes, so that two branches are not ordered by being in one graph.
void assign_chains(CUgraphExec_st *x) {
    std::vector<int> end; // last node of each chain
    for (int n = 0; n < int(x->nodes.size()); n++) {
        const auto &before = x->nodes[size_t(n)].before;
        auto c = before.empty() ? end.end() : std::find(end.begin(), end.end(), before[0]);
        if (c == end.end()) {
            end.push_back(n);
            x->chain.push_back(chain_new());
        } else {
            x->chain.push_back(x->chain[size_t(*c)]);
            *c = n;
        }
    }
}

bool valid_exec(cudaGraphExec_t x) {
    return x && x->alive;
}

bool valid_graph(cudaGraph_t g) {
    return g && g->alive;
}

// Whether every node lies before the tips of the origin.
bool joined(const CUgraph_st &graph, const std::vector<int> &tips) {
    std::set<int> seen;
    std::vector<int> todo = tips;
    while (!todo.empty()) {
        int n = todo.back();
        todo.pop_back();
        if (seen.insert(n).second)
            for (int b : graph.nodes[size_t(n)].before)
                todo.push_back(b);
    }
    return seen.size() == graph.nodes.size();
}

cudaError_t instantiate(cudaGraphExec_t *out, cudaGraph_t graph, unsigned long long flags, const void *pc) {
    if (!out || !valid_graph(graph) || flags)
        return fail(cudaErrorInvalidValue);
    auto *x = new CUgraphExec_st();
    x->nodes = graph->nodes;
    assign_chains(x);
    live_add(x, "executable graph created", pc);
    *out = x;
    return cudaSuccess;
}
} // namespace

extern "C" {
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode) {
    SIMT_ENTER(cudaErrorIllegalState);
    cudaStream_t s = resolve(stream);
    if (!valid(s))
        return fail(cudaErrorInvalidResourceHandle);
    if (!live_remove(s, "stream created")) // the null stream was created by nobody
        return fail(cudaErrorStreamCaptureUnsupported);
    live_add(s, "stream created", SIMT_CALLER);
    if (s->capture)
        return fail(cudaErrorIllegalState);
    auto *graph = new CUgraph_st();
    s->capture = std::make_shared<Capture>(Capture{graph, s, mode, false, false});
    s->tips.clear();
    live_add(graph, "capture begun", SIMT_CALLER);
    return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *out) {
    cudaError_t injected = enter(__func__, cudaErrorStreamCaptureInvalidated);
    cudaStream_t s = resolve(stream);
    if (!out || !valid(s))
        return fail(out ? cudaErrorInvalidResourceHandle : cudaErrorInvalidValue);
    *out = nullptr;
    std::shared_ptr<Capture> c = s->capture;
    if (!c)
        return fail(cudaErrorIllegalState);
    if (c->origin != s) {
        c->broken = true;
        return fail(cudaErrorStreamCaptureUnmatched);
    }
    cudaError_t error = c->broken                     ? cudaErrorStreamCaptureInvalidated
                        : !joined(*c->graph, s->tips) ? cudaErrorStreamCaptureUnjoined
                                                      : injected;
    c->ended = true;
    for (cudaStream_t other : streams)
        if (other->capture == c) {
            other->capture = nullptr;
            other->tips.clear();
        }
    live_remove(c->graph, "capture begun");
    if (error) {
        c->graph->alive = false;
        c->graph->nodes.clear();
        return fail(error);
    }
    live_add(c->graph, "graph created", SIMT_CALLER);
    *out = c->graph;
    return cudaSuccess;
}

cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus *status) {
    SIMT_ENTER(cudaErrorInvalidValue);
    cudaStream_t s = resolve(stream);
    if (!status || !valid(s))
        return fail(status ? cudaErrorInvalidResourceHandle : cudaErrorInvalidValue);
    *status = !s->capture          ? cudaStreamCaptureStatusNone
              : s->capture->broken ? cudaStreamCaptureStatusInvalidated
                                   : cudaStreamCaptureStatusActive;
    return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t *out, cudaGraph_t graph, unsigned long long flags) {
    SIMT_ENTER(cudaErrorMemoryAllocation);
    return instantiate(out, graph, flags, SIMT_CALLER);
}

cudaError_t cudaGraphInstantiateWithFlags(cudaGraphExec_t *out, cudaGraph_t graph, unsigned long long flags) {
    SIMT_ENTER(cudaErrorMemoryAllocation);
    return instantiate(out, graph, flags, SIMT_CALLER);
}

cudaError_t cudaGraphUpload(cudaGraphExec_t x, cudaStream_t stream) {
    SIMT_ENTER(cudaErrorInvalidValue);
    return valid_exec(x) && valid(resolve(stream)) ? cudaSuccess : fail(cudaErrorInvalidValue);
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t x, cudaStream_t stream) {
    SIMT_ENTER(cudaErrorLaunchFailure);
    cudaStream_t s = resolve(stream);
    if (!valid_exec(x) || !valid(s))
        return fail(valid_exec(x) ? cudaErrorInvalidResourceHandle : cudaErrorInvalidValue);
    if (s->capture) { // child graphs are not emulated
        s->capture->broken = true;
        return fail(cudaErrorStreamCaptureUnsupported);
    }
    Work start, end;
    start.what = "start of a graph";
    end.what = "end of a graph";
    start.pc = end.pc = SIMT_CALLER;
    start.device = end.device = s->device;
    auto before = predecessors(s);
    before.push_back(x->last); // launches of one executable graph never overlap
    OpRef head = issue(s->chain, start, before);
    std::vector<OpRef> ops;
    for (size_t n = 0; n < x->nodes.size(); n++) {
        std::vector<OpRef> edges{head};
        for (int b : x->nodes[n].before)
            edges.push_back(ops[size_t(b)]);
        ops.push_back(issue(x->chain[n], x->nodes[n].work, edges));
    }
    ops.push_back(head);
    x->last = s->last = issue(s->chain, end, ops);
    return cudaSuccess;
}

cudaError_t cudaGraphExecUpdate(cudaGraphExec_t x, cudaGraph_t graph, cudaGraphExecUpdateResultInfo *info) {
    SIMT_ENTER(cudaErrorGraphExecUpdateFailure);
    if (!valid_exec(x) || !valid_graph(graph) || !info)
        return fail(cudaErrorInvalidValue);
    *info = cudaGraphExecUpdateResultInfo();
    info->result =
        x->nodes.size() == graph->nodes.size() ? cudaGraphExecUpdateSuccess : cudaGraphExecUpdateErrorTopologyChanged;
    for (size_t n = 0; n < graph->nodes.size() && info->result == cudaGraphExecUpdateSuccess; n++) {
        const CUgraph_st::Node &a = x->nodes[n], &b = graph->nodes[n];
        if (a.before != b.before)
            info->result = cudaGraphExecUpdateErrorTopologyChanged;
        else if (!a.work.kernel != !b.work.kernel || (!a.work.kernel && strcmp(a.work.what, b.work.what)))
            info->result = cudaGraphExecUpdateErrorNodeTypeChanged;
    }
    if (info->result != cudaGraphExecUpdateSuccess)
        return fail(cudaErrorGraphExecUpdateFailure);
    x->nodes = graph->nodes;
    return cudaSuccess;
}

// The handles of nodes mean nothing here: only their number is told.
cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t *nodes, size_t *count) {
    SIMT_ENTER(cudaErrorInvalidValue);
    if (!valid_graph(graph) || !count || nodes)
        return fail(cudaErrorInvalidValue);
    *count = graph->nodes.size();
    return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
    SIMT_ENTER_FREE;
    if (!valid_graph(graph) || !live_remove(graph, "graph created"))
        return fail(cudaErrorInvalidValue);
    graph->alive = false;
    graph->nodes.clear();
    return simt_late_error;
}

// Launches that are under way go on.
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t x) {
    SIMT_ENTER_FREE;
    if (!valid_exec(x) || !live_remove(x, "executable graph created"))
        return fail(cudaErrorInvalidValue);
    std::set<uint32_t> chains(x->chain.begin(), x->chain.end());
    for (uint32_t chain : chains)
        chain_free(chain, x->last);
    x->alive = false;
    x->nodes.clear();
    x->last = nullptr;
    return simt_late_error;
}
}
