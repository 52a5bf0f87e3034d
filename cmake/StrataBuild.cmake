# How every target of Strata is compiled, and the two functions that declare one.
#
#   strata_library(base SOURCES a.cc DEPS ...)     one folder under src/ = one library strata_<folder>
#   strata_test(status_test SOURCES status_test.cc DEPS strata_base [LABELS quick|full|nightly] [SECONDS n])
#
# DEPS is the layer diagram: a folder may include only what it lists (tests/tidy checks the include lines too).
set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
find_package(Threads REQUIRED)

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
endif()
find_program(MOLD_PROGRAM mold)
if(MOLD_PROGRAM AND NOT CMAKE_CROSSCOMPILING)
  add_link_options(-fuse-ld=mold)
endif()

# -ffp-contract=off: a fused multiply-add happens only where the source says so, or results would depend on the compiler.
# The include root is the repository's src/, so an include line names its layer.
add_compile_options(-Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Wnon-virtual-dtor -Werror -ffp-contract=off
                    -fno-math-errno -ffunction-sections -fdata-sections)
# Clang blames us for what GCC 12's own stable_sort uses; deprecated calls of ours are GCC's to find.
add_compile_options($<$<CXX_COMPILER_ID:Clang>:-Wno-deprecated-declarations>)
# GCC 12 sees an overlapping copy in every inlined `literal + std::string&&` (GCC bug 105651).
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
  add_compile_options(-Wno-restrict)
endif()
add_link_options(-Wl,--gc-sections)
include_directories(${CMAKE_SOURCE_DIR}/src)

if(STRATA_SANITIZE)
  add_compile_options(-fsanitize=${STRATA_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all -Wno-tsan)
  add_link_options(-fsanitize=${STRATA_SANITIZE})
endif()

function(strata_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_library(strata_${name} STATIC ${ARG_SOURCES})
  target_link_libraries(strata_${name} PUBLIC ${ARG_DEPS})
endfunction()

# A test is quick (seconds: runs everywhere, also under sanitizers), full (./run test) or nightly.
function(strata_test name)
  cmake_parse_arguments(ARG "" "SECONDS" "SOURCES;DEPS;LABELS;ARGS" ${ARGN})
  if(NOT STRATA_TESTS)
    return()
  endif()
  if(NOT ARG_LABELS)
    set(ARG_LABELS quick)
  endif()
  if(NOT ARG_SECONDS)
    set(ARG_SECONDS 120)
  endif()
  if(CMAKE_CROSSCOMPILING)
    math(EXPR ARG_SECONDS "10 * ${ARG_SECONDS}")  # emulated
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} strata_gtest)
  # A test's own speed does not matter, its compile time does: -O3 took minutes on long test bodies.
  target_compile_options(${name} PRIVATE -O1)
  add_test(NAME ${name} COMMAND ${name} ${ARG_ARGS})
  set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT ${ARG_SECONDS} ENVIRONMENT
                       "STRATA_SOURCE_DIR=${CMAKE_SOURCE_DIR};STRATA_BINARY_DIR=${CMAKE_BINARY_DIR}")
endfunction()

if(STRATA_TESTS)
  add_library(strata_gtest INTERFACE)
  if(CMAKE_CROSSCOMPILING)
    # Debian ships GoogleTest's sources: built here for the target.
    add_subdirectory(/usr/src/googletest ${CMAKE_BINARY_DIR}/googletest EXCLUDE_FROM_ALL)
    foreach(target gtest gtest_main gmock gmock_main)
      target_compile_options(${target} PRIVATE -w)
    endforeach()
    target_link_libraries(strata_gtest INTERFACE gtest_main gtest)
  else()
    find_package(GTest REQUIRED)
    target_link_libraries(strata_gtest INTERFACE GTest::gtest_main GTest::gtest)
  endif()
endif()

# fmt, nlohmann_json and xxHash are header-only here, so that the portable subset needs no library of the target's.
add_library(strata_headers INTERFACE)
if(CMAKE_CROSSCOMPILING)
  # The host's architecture-independent headers, without the rest of /usr/include.
  set(STAGE ${CMAKE_BINARY_DIR}/host-headers)
  file(MAKE_DIRECTORY ${STAGE})
  foreach(folder fmt nlohmann)
    file(CREATE_LINK /usr/include/${folder} ${STAGE}/${folder} SYMBOLIC)
  endforeach()
  file(CREATE_LINK /usr/include/xxhash.h ${STAGE}/xxhash.h SYMBOLIC)
  target_include_directories(strata_headers SYSTEM INTERFACE ${STAGE})
  target_compile_definitions(strata_headers INTERFACE FMT_HEADER_ONLY=1)
else()
  find_package(fmt REQUIRED)
  find_package(nlohmann_json REQUIRED)
  target_link_libraries(strata_headers INTERFACE fmt::fmt nlohmann_json::nlohmann_json)
endif()
