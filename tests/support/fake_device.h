// A CPU backend that behaves like a device in two ways that a CPU does not show:
//
//   defers   y of unit->train is put off until it is read, and holds NaN until then; what it is made of must still be
//            unchanged when the first reader comes (kernels/unit.h)
//   records  between begin and end operations are kept, not run; launching runs them with the arguments of that time
//
//     FakeDevice device("own");
//     mmc_network_create(&net, device.be(), ...);
#ifndef MMC_TESTS_SUPPORT_FAKE_DEVICE_H
#define MMC_TESTS_SUPPORT_FAKE_DEVICE_H

#include "runtime/backend.h"
#include "tests/golden/device.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

struct mmc_graph {
    std::vector<std::function<mmc_status()>> work;
};

class FakeDevice {
  public:
    explicit FakeDevice(const std::string &provider, bool defers = true, bool records = true) : be_(provider) {
        golden::check(be_.status());
        self_ = this;
        real_unit_ = be_->unit;
        real_flat_ = be_->flat;
        real_memory_ = be_->memory;
        unit_ = *real_unit_;
        flat_ = *real_flat_;
        memory_ = *real_memory_;
        wrap();
        be_->unit = &unit_;
        be_->flat = &flat_;
        be_->memory = &memory_;
        be_->defers = defers;
        if (records)
            be_->graph = &graph_;
    }
    ~FakeDevice() {
        EXPECT_EQ(recorded - freed, 0) << "recordings outlive their networks";
        self_ = nullptr;
    }
    FakeDevice(const FakeDevice &) = delete;
    FakeDevice &operator=(const FakeDevice &) = delete;

    mmc_backend *be() {
        return be_;
    }

    int operations = 0; // enqueued outside of recordings
    int recorded = 0, launched = 0, freed = 0, deferred = 0;
    mmc_status fail_with = MMC_OK; // of every pass through the head

  private:
    using Work = std::function<mmc_status()>;
    using Bytes = std::vector<char>;

    // What an output that was put off is made of, as it was then, and its value.
    struct Deferral {
        std::vector<std::pair<const void *, Bytes>> sources;
        const void *residual; // NULL, or memory that may itself be put off
        Bytes residual_value, value;
    };

    static mmc_status enqueue(Work work) {
        if (self_->recording_) {
            self_->recording_->work.push_back(std::move(work));
            return MMC_OK;
        }
        self_->operations++;
        return work();
    }

    static size_t size_of(const mmc_activation &a) {
        return self_->real_unit_->activation_size(nullptr, a.t, a.n, a.c, a.h, a.w);
    }

    static Bytes bytes(const void *p, size_t size) {
        return Bytes(static_cast<const char *>(p), static_cast<const char *>(p) + size);
    }

    static void touch(const mmc_activation *a) {
        if (a)
            read(a->data);
    }

    // Computes an output that was put off, if all that it needs is still there.
    static void read(const void *y) {
        auto found = self_->deferrals_.find(y);
        if (found == self_->deferrals_.end())
            return;
        Deferral d = std::move(found->second);
        self_->deferrals_.erase(found);
        if (d.residual) {
            read(d.residual);
            EXPECT_EQ(std::memcmp(d.residual, d.residual_value.data(), d.residual_value.size()), 0)
                << "the residual of an output put off was overwritten before it was read";
        }
        for (const auto &[at, before] : d.sources)
            EXPECT_EQ(std::memcmp(at, before.data(), before.size()), 0)
                << "what an output put off is made of was overwritten before it was read";
        std::memcpy(const_cast<void *>(y), d.value.data(), d.value.size());
    }

    static void written(const mmc_activation *a) {
        if (a)
            self_->deferrals_.erase(a->data);
    }

    static mmc_status train_deferred(mmc_unit_train_call call) {
        touch(call.x);
        const size_t size = size_of(*call.y);
        Deferral d = {};
        if (call.shape.residual) {
            EXPECT_NE(call.y->data, call.z->data) << "an output with residual shares memory with its convolution";
            d.residual = call.residual->data;
            auto found = self_->deferrals_.find(d.residual);
            if (found == self_->deferrals_.end()) {
                d.residual_value = bytes(d.residual, size);
            } else { // the value needs the residual's now; what is in memory stays put off
                d.residual_value = found->second.value;
                Bytes before = bytes(d.residual, size);
                std::memcpy(const_cast<void *>(d.residual), d.residual_value.data(), size);
                MMC_TRY(finish(call, size, d));
                std::memcpy(const_cast<void *>(d.residual), before.data(), size);
                return MMC_OK;
            }
        }
        return finish(call, size, d);
    }

    static mmc_status finish(const mmc_unit_train_call &call, size_t size, Deferral d) {
        const bool shared = call.y->data == call.z->data;
        std::unique_ptr<char[]> apart(new char[size + 64]);
        mmc_activation z = *call.z;
        mmc_unit_train_call now = call;
        if (shared) { // the convolution is what stays in the memory of both
            z.data = apart.get() + (64 - reinterpret_cast<uintptr_t>(apart.get()) % 64);
            now.z = &z;
        }
        MMC_TRY(self_->real_unit_->train(nullptr, &now));
        d.value = bytes(call.y->data, size);
        if (shared)
            std::memcpy(call.y->data, z.data, size);
        else
            std::memset(call.y->data, 0xff, size);
        const size_t count = static_cast<size_t>(call.shape.k) * sizeof(float);
        d.sources.emplace_back(call.z->data, bytes(call.z->data, size));
        for (size_t t = 0; t < static_cast<size_t>(call.sets); t++) {
            for (const float *v : {call.mean, call.var})
                d.sources.emplace_back(v + t * call.stat_stride, bytes(v + t * call.stat_stride, count));
            for (const float *v : {call.gamma, call.beta})
                d.sources.emplace_back(v + t * call.set_stride, bytes(v + t * call.set_stride, count));
        }
        self_->deferrals_[call.y->data] = std::move(d);
        self_->deferred++;
        return MMC_OK;
    }

    // The operations that networks enqueue. Calls are copied: their activations live on the caller's stack.
    void wrap() {
        unit_.train = [](mmc_queue *, const mmc_unit_train_call *c) {
            return enqueue(
                [c = *c, y = *c->y, z = *c->z, x = *c->x, r = c->residual ? *c->residual : mmc_activation{}]() mutable {
                    c.y = &y;
                    c.z = &z;
                    c.x = &x;
                    c.residual = c.residual ? &r : nullptr;
                    written(&y);
                    for (const mmc_activation *out : {&y, &z}) // outputs are written while inputs are still read
                        std::memset(out->data, 0xff, size_of(*out));
                    return self_->be_->defers ? train_deferred(c) : self_->real_unit_->train(nullptr, &c);
                });
        };
        unit_.eval = [](mmc_queue *, const mmc_unit_eval_call *c) {
            return enqueue([c = *c, y = *c->y, x = *c->x, r = c->residual ? *c->residual : mmc_activation{}]() mutable {
                c.y = &y;
                c.x = &x;
                c.residual = c.residual ? &r : nullptr;
                touch(&x);
                touch(c.residual);
                written(&y);
                return self_->real_unit_->eval(nullptr, &c);
            });
        };
        unit_.backward = [](mmc_queue *, const mmc_unit_backward_call *c) {
            const mmc_activation none = {};
            return enqueue([c = *c, dx = c->dx ? *c->dx : none, dr = c->dresidual ? *c->dresidual : none, dy = *c->dy,
                            y = *c->y, z = *c->z, x = *c->x]() mutable {
                c.dx = c.dx ? &dx : nullptr;
                c.dresidual = c.dresidual ? &dr : nullptr;
                c.dy = &dy;
                c.y = &y;
                c.z = &z;
                c.x = &x;
                touch(&y);
                touch(&x);
                return self_->real_unit_->backward(nullptr, &c);
            });
        };
        unit_.render = [](mmc_queue *, mmc_activation *out, const mmc_image_store *store, const mmc_sample *samples) {
            return enqueue([out = *out, store = *store, samples]() mutable {
                written(&out);
                return self_->real_unit_->render(nullptr, &out, &store, samples);
            });
        };
        unit_.put = [](mmc_queue *, mmc_activation *out, const float *in) {
            return enqueue([out = *out, in]() mutable {
                written(&out);
                return self_->real_unit_->put(nullptr, &out, in);
            });
        };
        unit_.pool = [](mmc_queue *, float *rep, const mmc_activation *x) {
            return enqueue([rep, x = *x] {
                touch(&x);
                return self_->real_unit_->pool(nullptr, rep, &x);
            });
        };
        unit_.pool_backward = [](mmc_queue *, mmc_activation *dx, const float *drep) {
            return enqueue([dx = *dx, drep]() mutable { return self_->real_unit_->pool_backward(nullptr, &dx, drep); });
        };
        unit_.pack = [](mmc_queue *, void *packed, const mmc_unit_shape *shape, mmc_pack_mode mode, int sets,
                        const float *w, size_t stride) {
            return enqueue([packed, shape = *shape, mode, sets, w, stride] {
                return self_->real_unit_->pack(nullptr, packed, &shape, mode, sets, w, stride);
            });
        };
        flat_.head = [](mmc_queue *, const mmc_head_call *c) {
            if (self_->fail_with != MMC_OK)
                return mmc_fail(self_->fail_with, "the head failed as asked");
            return enqueue([c = *c] { return self_->real_flat_->head(nullptr, &c); });
        };
        flat_.head_backward = [](mmc_queue *, const mmc_head_backward_call *c) {
            return enqueue([c = *c] { return self_->real_flat_->head_backward(nullptr, &c); });
        };
        flat_.loss = [](mmc_queue *, const mmc_loss_call *c) {
            return enqueue([c = *c] { return self_->real_flat_->loss(nullptr, &c); });
        };
        flat_.mirror = [](mmc_queue *, float *dlogits, size_t count, const double *tally, int n, const double *factor) {
            return enqueue([=] { return self_->real_flat_->mirror(nullptr, dlogits, count, tally, n, factor); });
        };
        memory_.copy = [](mmc_backend *be, void *out, const void *in, size_t size) {
            return enqueue([=] { return self_->real_memory_->copy(be, out, in, size); });
        };
        memory_.zero = [](mmc_backend *be, void *out, size_t size) {
            return enqueue([=] { return self_->real_memory_->zero(be, out, size); });
        };
        memory_.upload = [](mmc_backend *be, void *out, const void *in, size_t size) {
            EXPECT_FALSE(self_->recording_) << "an upload is recorded";
            return self_->real_memory_->upload(be, out, in, size);
        };
        memory_.download = [](mmc_backend *be, void *out, const void *in, size_t size) {
            EXPECT_FALSE(self_->recording_) << "a download is recorded";
            return self_->real_memory_->download(be, out, in, size);
        };
        memory_.alloc = [](mmc_backend *be, void **out, size_t size) {
            EXPECT_FALSE(self_->recording_) << "an allocation is recorded";
            return self_->real_memory_->alloc(be, out, size);
        };
        memory_.sync = [](mmc_backend *be) {
            EXPECT_FALSE(self_->recording_) << "waiting is recorded";
            return self_->real_memory_->sync(be);
        };
        graph_.begin = [](mmc_backend *) {
            EXPECT_FALSE(self_->recording_) << "a recording in a recording";
            self_->recording_ = new mmc_graph;
            return MMC_OK;
        };
        graph_.end = [](mmc_backend *, mmc_graph **out) {
            *out = self_->recording_;
            self_->recording_ = nullptr;
            self_->recorded++;
            return MMC_OK;
        };
        graph_.launch = [](mmc_backend *, mmc_graph *graph) {
            self_->launched++;
            for (const Work &work : graph->work)
                MMC_TRY(work());
            return MMC_OK;
        };
        graph_.free = [](mmc_backend *, mmc_graph *graph) {
            self_->freed += graph != nullptr;
            delete graph;
        };
    }

    static inline FakeDevice *self_ = nullptr;

    golden::Backend be_;
    const mmc_unit_ops *real_unit_;
    const mmc_flat_ops *real_flat_;
    const mmc_memory_ops *real_memory_;
    mmc_unit_ops unit_;
    mmc_flat_ops flat_;
    mmc_memory_ops memory_;
    mmc_graph_ops graph_ = {};
    mmc_graph *recording_ = nullptr;
    std::map<const void *, Deferral> deferrals_;
};

#endif
