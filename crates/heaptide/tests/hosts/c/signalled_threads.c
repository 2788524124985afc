/* A program that is not written in Rust: it loads the library with the shim, has it record at each
   SIGUSR2, and sends that signal to threads that do nothing but allocate in C. They have never
   called into the library, so what it keeps for each thread does not exist in them yet. */
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void *allocate(void *unused) {
    (void)unused;
    for (int i = 0; i < 20000; i++) {
        void *volatile block = malloc(16 + i % 500);
        free(block);
    }
    return NULL;
}

int main(int argc, char **argv) {
    alarm(20);
    signal(SIGUSR2, SIG_IGN);
    if (argc > 1) {
        void *library = dlopen(argv[1], RTLD_NOW);
        if (!library) {
            fprintf(stderr, "%s\n", dlerror());
            return 1;
        }
        int (*record)(void) = (int (*)(void))dlsym(library, "host_library_record");
        if (record() != 0)
            return 1;
    }
    for (int round = 0; round < 500; round++) {
        pthread_t threads[2];
        for (int i = 0; i < 2; i++)
            pthread_create(&threads[i], NULL, allocate, NULL);
        for (int n = 0; n < 20; n++)
            for (int i = 0; i < 2; i++)
                pthread_kill(threads[i], SIGUSR2);
        for (int i = 0; i < 2; i++)
            pthread_join(threads[i], NULL);
    }
    puts("alive");
    return 0;
}
