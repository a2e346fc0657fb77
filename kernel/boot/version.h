// SPDX-License-Identifier: MIT
// The version of the kernel; the build passes the project's own.
#pragma once

#ifndef FATHOM_VERSION
#define FATHOM_VERSION "unversioned"
#endif
