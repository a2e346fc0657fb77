// SPDX-License-Identifier: MIT
// Variables of every kind for tests/system/test_locals.py, which knows their values: it stops this
// program in stop(), makes a capsule of it, and prints what the frames hold.
#include <stdbool.h>
#include <stdint.h>

#define KEEP __attribute__((noinline))

enum colour { RED, GREEN = 5, BLUE };
enum flags { READ = 1, WRITE = 2, EXECUTE = 4 };

struct point {
    int x, y;
};

union either {
    uint32_t word;
    uint8_t bytes[4];
};

struct bits {
    unsigned low : 3;
    int middle : 5;
    enum colour tint : 4;
    uint64_t high : 40;
};

typedef struct thing {
    const char *name;
    struct point corners[2];
    union either either;
    enum colour colour;
    enum flags mode;
    bool on;
    struct thing *next;
    int (*call)(int);
    struct {
        short inner;
    };
} thing_t;

volatile int sink;
int plain_global = 7;

KEEP void stop(void)
{
    sink++;
}

KEEP int twice(int number)
{
    return number * 2;
}

static inline __attribute__((always_inline)) int inlined(int outer, struct point *at)
{
    int inside = outer + 1;
    {
        int block = inside * 2;
        sink += block;
        stop();
        sink += at->x + block;
    }
    return inside;
}

KEEP int leaf(int number, struct point *at, const char *text)
{
    int before = number + at->y;
    int after = inlined(number, at);
    sink += text[0] + before;
    return after + before;
}

KEEP int kinds(long count, thing_t *thing)
{
    thing_t copy = *thing;
    struct bits bits = {.low = 5, .middle = -3, .tint = BLUE, .high = 0xabcdef0123};
    char letters[12] = "hello";
    int numbers[10] = {1, 2, 2, 2, 2, 2, 3};
    int grid[2][3] = {{1, 2, 3}, {4, 5, 6}};
    double real = 1.5;
    float half = 0.25f;
    uint8_t byte = 65;
    int64_t negative = -42;
    uint64_t large = 0xffff800000001234;
    int *where = &plain_global;
    void *nothing = 0;
    copy.corners[1].y = 4;
    int result = leaf((int)count, &copy.corners[0], letters);
    // Everything is still needed, or an optimizer would not keep it.
    sink += (int)(copy.corners[1].y + bits.low + letters[1] + numbers[3] + grid[1][1] + (int)real +
                  (int)half + byte + negative + (int)large + *where + (nothing != 0));
    __asm__ volatile("" ::"r"(&copy), "r"(&bits), "r"(letters), "r"(numbers), "r"(grid), "r"(&real),
                     "r"(&half), "r"(&byte), "r"(&negative), "r"(&large), "r"(&where), "r"(&nothing)
                     : "memory");
    return result;
}

int main(void)
{
    thing_t other = {.name = "other"};
    thing_t thing = {.name = "a \"name\"\n",
                     .corners = {{1, 2}, {3, -4}},
                     .either = {.word = 0x04030201},
                     .colour = GREEN,
                     .mode = (enum flags)(READ | EXECUTE),
                     .on = true,
                     .next = &other,
                     .call = twice,
                     .inner = -9};
    return kinds(100, &thing) == 0;
}
