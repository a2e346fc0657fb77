// SPDX-License-Identifier: MIT
// Functions that C++ puts where C has none: in types, templates, namespaces and other functions.
extern volatile int sink;
volatile int sink;
namespace outer
{
namespace
{
struct hidden {
    int v;
    inline int get() const
    {
        sink = v;
        return v + 1;
    }
};
} // namespace
template <typename T> struct box {
    T value;
    __attribute__((noinline)) T open(T x);
    T peek() const
    {
        sink = (int)value;
        return value;
    }
};
template <typename T> T box<T>::open(T x)
{
    sink = (int)x;
    hidden h{(int)x};
    return value + x + h.get();
}
class shape
{
  public:
    virtual ~shape()
    {
    }
    virtual int area(int) = 0;
    shape()
    {
        sink = 1;
    }
};
class square : public shape
{
    int side;

  public:
    explicit square(int s) : side(s)
    {
        sink = s;
    }
    int area(int k) override;
};
int square::area(int k)
{
    auto f = [&](int y) {
        sink = y;
        return y * side;
    };
    struct local {
        static int twice(int q)
        {
            sink = q;
            return q * 2;
        }
    };
    return f(k) + local::twice(k);
}
} // namespace outer
__attribute__((noinline)) static int run(outer::shape &s, int k)
{
    return s.area(k);
}
extern "C" void operator_delete_stub();
void operator delete(void *) noexcept
{
}
void operator delete(void *, unsigned long) noexcept
{
}
int main(int argc, char **)
{
    outer::square s(argc);
    outer::box<int> b{argc};
    outer::box<long> c{argc};
    return run(s, argc) + b.open(3) + (int)c.open(4) + b.peek();
}
