/* Functions that a program loads: they call back, sort with a callback, and jump out of one. */
#include <setjmp.h>
#include <stdlib.h>

typedef void callback(void *);

static callback *sort_callback;
static void *sort_argument;

int neighbour_call(callback *call, void *argument) {
    call(argument);
    return 0;
}

static int compare(const void *a, const void *b) {
    sort_callback(sort_argument);
    return *(const int *)a - *(const int *)b;
}

int neighbour_sort(callback *call, void *argument) {
    int numbers[4] = {3, 1, 4, 2};
    sort_callback = call;
    sort_argument = argument;
    qsort(numbers, 4, sizeof numbers[0], compare);
    return 0;
}

static void call_and_jump(callback *call, void *argument, jmp_buf *back) {
    call(argument);
    longjmp(*back, 1);
}

int neighbour_jump(callback *call, void *argument) {
    jmp_buf back;
    if (setjmp(back) != 0)
        return 1;
    call_and_jump(call, argument, &back);
    return 0;
}
