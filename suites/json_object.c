#include "suites/json_object.h"

void mmc_json_put(mmc_json_object *object, const char *name, json_t *value) {
    if (json_object_set_new(object->json, name, value) != 0)
        object->failed = true;
}

json_t *mmc_json_finish(mmc_json_object *object) {
    if (object->failed) {
        json_decref(object->json);
        object->json = NULL;
    }
    return object->json;
}
