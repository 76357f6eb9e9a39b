// Small files in the layouts of CIFAR and Fashion-MNIST, and their compressed forms.
#pragma once

#include <lzma.h>
#include <stdexcept>
#include <string>
#include <vector>
#include <zlib.h>

namespace data_files {

// Byte `i` of image `n` of a made-up file: differs between images, channels and pixels.
inline char pixel(size_t n, size_t i) {
    return static_cast<char>(n * 31 + i * 7 + i / 1024);
}

inline std::string cifar(const std::vector<int> &labels, int classes) {
    std::string out;
    for (size_t n = 0; n < labels.size(); n++) {
        if (classes == 100)
            out += static_cast<char>(labels[n] % 20);
        out += static_cast<char>(labels[n]);
        for (size_t i = 0; i < 3072; i++)
            out += pixel(n, i);
    }
    return out;
}

inline std::string word(uint32_t v) {
    return {static_cast<char>(v >> 24), static_cast<char>(v >> 16), static_cast<char>(v >> 8), static_cast<char>(v)};
}

inline std::string idx_labels(const std::vector<int> &labels) {
    std::string out = word(0x801) + word(static_cast<uint32_t>(labels.size()));
    for (int label : labels)
        out += static_cast<char>(label);
    return out;
}

inline std::string idx_images(size_t count) {
    std::string out = word(0x803) + word(static_cast<uint32_t>(count)) + word(28) + word(28);
    for (size_t n = 0; n < count; n++)
        for (size_t i = 0; i < 784; i++)
            out += pixel(n, i);
    return out;
}

inline std::string gz(const std::string &bytes) {
    z_stream z = {};
    if (deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        throw std::runtime_error("deflateInit2");
    std::string out(deflateBound(&z, bytes.size()) + 64, '\0');
    z.next_in = reinterpret_cast<Bytef *>(const_cast<char *>(bytes.data()));
    z.avail_in = static_cast<uInt>(bytes.size());
    z.next_out = reinterpret_cast<Bytef *>(&out[0]);
    z.avail_out = static_cast<uInt>(out.size());
    deflate(&z, Z_FINISH);
    out.resize(z.total_out);
    deflateEnd(&z);
    return out;
}

inline std::string xz(const std::string &bytes) {
    std::string out(lzma_stream_buffer_bound(bytes.size()), '\0');
    size_t size = 0;
    if (lzma_easy_buffer_encode(1, LZMA_CHECK_CRC64, nullptr, reinterpret_cast<const uint8_t *>(bytes.data()),
                                bytes.size(), reinterpret_cast<uint8_t *>(&out[0]), &size, out.size()) != LZMA_OK)
        throw std::runtime_error("lzma_easy_buffer_encode");
    out.resize(size);
    return out;
}

} // namespace data_files
