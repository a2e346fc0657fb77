// SPDX-License-Identifier: MIT
// Error numbers of the target code. A function that can fail returns 0 or one of these, negated.
// The values are those of POSIX systems on all three machines, so a log line means the same there.
#pragma once

#define EPERM     1
#define ENOENT    2
#define EINTR     4
#define EIO       5
#define E2BIG     7
#define EBADF     9
#define EAGAIN    11
#define ENOMEM    12
#define EACCES    13
#define EFAULT    14
#define EBUSY     16
#define EEXIST    17
#define ENODEV    19
#define EINVAL    22
#define ENOSPC    28
#define ERANGE    34
#define EDEADLK   35
#define ENOSYS    38
#define ENODATA   61
#define EOVERFLOW 75
#define EILSEQ    84
#define ENOTSUP   95
#define ETIMEDOUT 110
