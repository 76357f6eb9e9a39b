#include "runtime/room.h"

#include <math.h>

mmc_status mmc_room_measure(mmc_room *room, mmc_backend *be) {
    room->free_bytes = 0;
    return be->memory->available ? be->memory->available(be, &room->free_bytes) : MMC_OK;
}

mmc_status mmc_room_report(const mmc_room *room, mmc_backend *be, const mmc_progress *progress) {
    mmc_room now;
    if (!be->memory->available || !progress || !progress->report)
        return MMC_OK;
    MMC_TRY(mmc_room_measure(&now, be));
    mmc_progress_event event = {
        .phase = "memory", .total = (int64_t)room->free_bytes, .t = (double)NAN, .loss = (double)NAN};
    if (now.free_bytes < room->free_bytes)
        event.done = (int64_t)(room->free_bytes - now.free_bytes);
    progress->report(progress->user, &event);
    return MMC_OK;
}

mmc_status mmc_room_check(mmc_backend *be, size_t bytes) {
    mmc_room room;
    if (!be->memory->available)
        return MMC_OK;
    MMC_TRY(mmc_room_measure(&room, be));
    if (bytes <= room.free_bytes)
        return MMC_OK;
    return mmc_fail(MMC_ERR_MEMORY,
                    "%.1f MB are needed, %.1f MB of %s are free, %.1f MB are missing; a smaller --batch or --width "
                    "needs less",
                    (double)bytes / 1e6, (double)room.free_bytes / 1e6, be->device,
                    (double)(bytes - room.free_bytes) / 1e6);
}
