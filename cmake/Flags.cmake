# Compiler and linker flags of every target, in one place.
set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

if(NOT CMAKE_BUILD_TYPE)
  message(FATAL_ERROR "Choose a preset: cmake --preset debug|asan|tsan|coverage|release")
endif()

set(PLANKTON_SANITIZE "" CACHE STRING "Sanitizers for -fsanitize=, such as address,undefined")
option(PLANKTON_COVERAGE "Count executed lines" OFF)
option(PLANKTON_STATIC "Programs that need nothing from the system, for images (cmake/Static.cmake)" OFF)
option(PLANKTON_LTO "Link-time optimisation of a release; off where an edit is to run soon" ON)
option(PLANKTON_CRASH_POINTS "Places where tests have a process die (base/crash.h); never in a release" OFF)

add_library(plankton_flags INTERFACE)
target_compile_definitions(plankton_flags INTERFACE _GNU_SOURCE)
if(PLANKTON_CRASH_POINTS)
  target_compile_definitions(plankton_flags INTERFACE PLANKTON_CRASH_POINTS)
endif()
target_compile_options(plankton_flags INTERFACE
  -Wall -Wextra -Werror -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes
  -Wmissing-prototypes -Wold-style-definition -Wundef -Wcast-qual -Wcast-align -Wpointer-arith
  -Wwrite-strings -Wnull-dereference -Wformat=2 -Wvla -Wdouble-promotion -Wswitch-enum
  -Wimplicit-fallthrough -Wredundant-decls -Wnested-externs
  -fno-common -fno-strict-overflow -ffunction-sections -fdata-sections -g)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
  target_compile_options(plankton_flags INTERFACE
    -Wduplicated-cond -Wduplicated-branches -Wlogical-op -Wjump-misses-init)
endif()

if(PLANKTON_SANITIZE)
  target_compile_options(plankton_flags INTERFACE
    -fsanitize=${PLANKTON_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer -O1)
  target_link_options(plankton_flags INTERFACE -fsanitize=${PLANKTON_SANITIZE})
elseif(PLANKTON_COVERAGE)
  target_compile_options(plankton_flags INTERFACE --coverage -fprofile-update=atomic -O0)
  target_link_options(plankton_flags INTERFACE --coverage)
elseif(CMAKE_BUILD_TYPE STREQUAL "Release")
  if(PLANKTON_STATIC)
    # Not static-pie: that has a dynamic section, by which each process would relocate itself as it
    # starts, and half a megabyte of tables would be pages of its own. What is lost is that the
    # program lies at a random address; stack, heap and mappings still do.
    # The linker warns of getaddrinfo() and others: what they would load at run time is the files of
    # /etc/nsswitch.conf. Without those, libc itself asks /etc/hosts, /etc/passwd and DNS.
    set(CMAKE_POSITION_INDEPENDENT_CODE OFF)
    target_compile_options(plankton_flags INTERFACE -fno-pie -fno-asynchronous-unwind-tables)
    target_link_options(plankton_flags INTERFACE -static -no-pie -s)
  else()
    include(CheckPIESupported)
    check_pie_supported(LANGUAGES C)
  endif()
  # Debian's gcc predefines nothing here, but a distribution that does would warn of the redefinition.
  target_compile_options(plankton_flags INTERFACE
    -O2 -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fstack-clash-protection)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    target_compile_options(plankton_flags INTERFACE -fcf-protection)
  elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
    target_compile_options(plankton_flags INTERFACE -mbranch-protection=standard)
  endif()
  target_link_options(plankton_flags INTERFACE
    -Wl,-z,relro,-z,now -Wl,-z,noexecstack -Wl,--gc-sections -Wl,--as-needed)
  set(CMAKE_INTERPROCEDURAL_OPTIMIZATION ${PLANKTON_LTO})
endif()
