/* A JSON object in the making, whose failures are seen once, at the end.
 *
 *     mmc_json_object o = {.json = json_object()};
 *     mmc_json_put(&o, "width", json_integer(8));
 *     json_t *whole = mmc_json_finish(&o);        NULL: out of memory
 */
#ifndef MMC_SUITES_JSON_OBJECT_H
#define MMC_SUITES_JSON_OBJECT_H

#include <jansson.h>
#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mmc_json_object {
    json_t *json;
    bool failed; /* a value could not be made or kept */
} mmc_json_object;

/* Takes the value, also where it fails. */
void mmc_json_put(mmc_json_object *object, const char *name, json_t *value);

/* Gives the finished object away; NULL where anything failed. Owns: the caller, json_decref. */
json_t *mmc_json_finish(mmc_json_object *object);

#ifdef __cplusplus
}
#endif
#endif
