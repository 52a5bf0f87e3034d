# Runs at `cmake --install`, whose --prefix decides where the program will be: the unit of systemd
# says so.
set(STRATA_PROGRAM "${CMAKE_INSTALL_PREFIX}/bin/strata")
set(STRATA_SERVICE "$ENV{DESTDIR}${CMAKE_INSTALL_PREFIX}/lib/systemd/system/strata.service")
message(STATUS "Installing: ${STRATA_SERVICE}")
configure_file("${STRATA_SERVICE_IN}" "${STRATA_SERVICE}" @ONLY)
