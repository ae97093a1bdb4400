/* Tries libraries as bindgen does: each must be libclang and must read the kernel's header of V4L2 without an error.
 *
 * usage: libclang LIBRARY...      the last line of output is the reason, the exit code 0 if all of them work
 *
 * Declares the few calls itself, so that no header of clang is needed to find out that one is missing.
 * Source: clang-c/Index.h, whose calls and severities are stable by its own promise. */
#include <dlfcn.h>
#include <stdio.h>

enum { SEVERITY_ERROR = 3 }; /* spec: clang-c/Index.h, CXDiagnostic_Error */
struct unsaved_file { const char *name, *text; unsigned long length; };

static int try(const char *library) {
    struct unsaved_file file = {"probe.h", "#include <stddef.h>\n#include <linux/videodev2.h>\n", 0};
    void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        printf("%s\n", dlerror());
        return 1;
    }
    void *(*create)(int, int) = (void *(*)(int, int))dlsym(handle, "clang_createIndex");
    int (*parse)(void *, const char *, const char *const *, int, struct unsaved_file *, unsigned, unsigned, void **) =
        (int (*)(void *, const char *, const char *const *, int, struct unsaved_file *, unsigned, unsigned, void **))
            dlsym(handle, "clang_parseTranslationUnit2");
    unsigned (*count)(void *) = (unsigned (*)(void *))dlsym(handle, "clang_getNumDiagnostics");
    void *(*diagnostic)(void *, unsigned) = (void *(*)(void *, unsigned))dlsym(handle, "clang_getDiagnostic");
    int (*severity)(void *) = (int (*)(void *))dlsym(handle, "clang_getDiagnosticSeverity");
    if (!create || !parse || !count || !diagnostic || !severity) {
        printf("%s is not libclang\n", library);
        return 1;
    }
    for (file.length = 0; file.text[file.length]; file.length++) {
    }
    void *unit = NULL;
    if (parse(create(0, 0), file.name, NULL, 0, &file, 1, 0, &unit) != 0 || !unit) {
        printf("%s cannot read a header\n", library);
        return 1;
    }
    for (unsigned index = 0; index < count(unit); index++) {
        if (severity(diagnostic(unit, index)) >= SEVERITY_ERROR) {
            printf("%s finds an error in <stddef.h> or <linux/videodev2.h>: its own headers or the kernel's are missing\n", library);
            return 1;
        }
    }
    return 0;
}

int main(int argc, char **argv) {
    int failed = argc < 2;
    for (int index = 1; index < argc; index++) failed |= try(argv[index]);
    return failed;
}
