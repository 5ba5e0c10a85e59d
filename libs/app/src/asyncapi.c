/*
 * The AsyncAPI 3.0 document of a service: what it answers on NATS and which events it publishes,
 * from the same tables that it is made of.
 */
#include "commands.h"

#include <stdio.h>
#include <string.h>

#include <base/str.h>
#include <model/json.h>

#define DOCUMENT_MAX ((size_t)16 * 1024 * 1024)
#define NAME_TEXT    256

struct document {
    const struct app *app;
    struct json_writer w;
    struct arena arena;
    struct model_schemas schemas;
};

/* "#/channels/<subject>/messages/<message>"; message NULL: the channel. */
static void write_reference(struct document *doc, const char *subject, const char *message)
{
    char path[2 * NAME_TEXT];
    snprintf(path, sizeof(path), "#/channels/%s%s%s", subject, message ? "/messages/" : "",
             message ? message : "");
    json_begin_object(&doc->w);
    json_add_string(&doc->w, "$ref", path);
    json_end_object(&doc->w);
}

/* --- channels --- */

static void write_model(struct document *doc, const struct model *model)
{
    if (model)
        model_write_reference(model, false, &doc->w);
    else
        json_write_raw(&doc->w, "{\"type\":\"object\"}", strlen("{\"type\":\"object\"}"));
}

static void write_message(struct document *doc, const char *name, const struct model *model)
{
    json_add_object(&doc->w, name);
    json_add_string(&doc->w, "contentType", "application/json");
    json_write_name(&doc->w, "payload");
    write_model(doc, model);
    json_end_object(&doc->w);
}

static void begin_channel(struct document *doc, const char *subject, const char *what)
{
    json_add_object(&doc->w, subject);
    json_add_string(&doc->w, "address", subject);
    json_add_string(&doc->w, "description", what);
    json_add_object(&doc->w, "messages");
}

static void end_channel(struct document *doc)
{
    json_end_object(&doc->w);
    json_end_object(&doc->w);
}

static void write_method_channels(struct document *doc, const struct bus_method *method)
{
    begin_channel(doc, method->subject, method->doc ? method->doc : "");
    write_message(doc, "request", method->in);
    write_message(doc, "reply", method->out);
    write_message(doc, "error", NULL);
    end_channel(doc);
}

/* CloudEvents 1.0, whose data the model describes. */
static void write_event_channel(struct document *doc, const struct bus_event_type *event)
{
    begin_channel(doc, event->subject, event->doc ? event->doc : "");
    json_add_object(&doc->w, "event");
    json_add_string(&doc->w, "contentType", "application/cloudevents+json");
    json_add_object(&doc->w, "payload");
    json_add_raw(&doc->w, "allOf", "[{\"$ref\":\"#/components/schemas/cloudevent\"}]");
    json_add_object(&doc->w, "properties");
    json_add_raw(&doc->w, "type", "{\"type\":\"string\"}");
    json_write_name(&doc->w, "data");
    write_model(doc, event->model);
    json_end_object(&doc->w);
    json_end_object(&doc->w);
    json_end_object(&doc->w);
    end_channel(doc);
}

static void write_channels(struct document *doc)
{
    const struct app *app = doc->app;
    json_add_object(&doc->w, "channels");
    for (size_t i = 0; i < app->method_count; i++)
        write_method_channels(doc, &app->methods[i]);
    for (size_t i = 0; i < app->event_count; i++)
        write_event_channel(doc, &app->events[i]);
    json_end_object(&doc->w);
}

/* --- operations --- */

/* verb: "answer" or "publish" */
static void begin_operation(struct document *doc, const char *verb, const char *subject)
{
    char name[NAME_TEXT + 16];
    snprintf(name, sizeof(name), "%s.%s", verb, subject);
    json_add_object(&doc->w, name);
    json_add_string(&doc->w, "action", str_equal(verb, "answer") ? "receive" : "send");
    json_write_name(&doc->w, "channel");
    write_reference(doc, subject, NULL);
}

static void write_messages(struct document *doc, const char *subject, const char *const *names)
{
    json_write_name(&doc->w, "messages");
    json_begin_array(&doc->w);
    for (; *names; names++)
        write_reference(doc, subject, *names);
    json_end_array(&doc->w);
}

static void write_operations(struct document *doc)
{
    static const char *const request[] = {"request", NULL},
                             *const reply[] = {"reply", "error", NULL},
                             *const event[] = {"event", NULL};
    const struct app *app = doc->app;
    json_add_object(&doc->w, "operations");
    for (size_t i = 0; i < app->method_count; i++) {
        const char *subject = app->methods[i].subject;
        begin_operation(doc, "answer", subject);
        write_messages(doc, subject, request);
        json_add_object(&doc->w, "reply");
        json_write_name(&doc->w, "channel");
        write_reference(doc, subject, NULL);
        write_messages(doc, subject, reply);
        json_end_object(&doc->w);
        json_end_object(&doc->w);
    }
    for (size_t i = 0; i < app->event_count; i++) {
        begin_operation(doc, "publish", app->events[i].subject);
        write_messages(doc, app->events[i].subject, event);
        json_end_object(&doc->w);
    }
    json_end_object(&doc->w);
}

/* --- the whole --- */

static struct err *collect_schemas(struct document *doc)
{
    const struct app *app = doc->app;
    for (size_t i = 0; i < app->method_count; i++) {
        if (app->methods[i].in)
            TRY(model_schemas_add(&doc->schemas, app->methods[i].in, false));
        if (app->methods[i].out)
            TRY(model_schemas_add(&doc->schemas, app->methods[i].out, false));
    }
    for (size_t i = 0; i < app->event_count; i++)
        TRY(model_schemas_add(&doc->schemas, app->events[i].model, false));
    return NULL;
}

static void write_components(struct document *doc)
{
    static const char cloudevent[] =
        "{\"description\":\"CloudEvents 1.0, JSON format\",\"type\":\"object\",\"properties\":{"
        "\"specversion\":{\"const\":\"1.0\"},\"id\":{\"type\":\"string\",\"format\":\"uuid\"},"
        "\"source\":{\"type\":\"string\"},\"type\":{\"type\":\"string\"},"
        "\"subject\":{\"type\":\"string\"},"
        "\"time\":{\"type\":\"string\",\"format\":\"date-time\"},"
        "\"datacontenttype\":{\"const\":\"application/json\"}},"
        "\"required\":[\"specversion\",\"id\",\"source\",\"type\",\"time\"]}";
    json_add_object(&doc->w, "components");
    json_add_object(&doc->w, "schemas");
    model_schemas_write(&doc->schemas, &doc->w);
    if (doc->app->event_count > 0)
        json_add_raw(&doc->w, "cloudevent", cloudevent);
    json_end_object(&doc->w);
    json_end_object(&doc->w);
}

static struct err *write_document(struct document *doc)
{
    TRY(collect_schemas(doc));
    json_begin_object(&doc->w);
    json_add_string(&doc->w, "asyncapi", "3.0.0");
    json_add_object(&doc->w, "info");
    json_add_string(&doc->w, "title", doc->app->name);
    json_add_string(&doc->w, "version", app_version());
    json_add_string(
        &doc->w, "description",
        "Requests carry Plankton-Deadline-Ms, traceparent and X-Request-Id; an error is a problem "
        "document (RFC 9457) with the header Plankton-Error. Events are kept by JetStream, at "
        "least once, with the event's id as Nats-Msg-Id.");
    json_end_object(&doc->w);
    json_add_string(&doc->w, "defaultContentType", "application/json");
    write_channels(doc);
    write_operations(doc);
    write_components(doc);
    json_end_object(&doc->w);
    return NULL;
}

int app_asyncapi(struct process *process)
{
    _cleanup_(buf_deinit) struct buf text = BUF_INIT(DOCUMENT_MAX);
    struct document doc = {
        .app = process->app, .w = JSON_WRITER(&text), .arena = ARENA_INIT(DOCUMENT_MAX)};
    doc.schemas.arena = &doc.arena;
    struct err *e = write_document(&doc);
    arena_deinit(&doc.arena);
    buf_append_char(&text, '\n');
    return e ? app_fail(process, e) : app_print(process, &text);
}
