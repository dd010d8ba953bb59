// What the program prints, and whether it had a place.
#pragma once

namespace imgsim::app {

/// Gives standard streams that were closed a place, so that no file that is opened takes the number of one. What is
/// then printed to stdout is lost, and require_printed() says so. A pipe that nobody reads any more ends nothing. Call
/// it first.
void open_streams();

/// std::printf to stdout; whether it could be written is told by require_printed().
void print(const char* format, ...) __attribute__((format(printf, 1, 2)));

/// Writes out what was printed so far.
void flush_output();

/// Likewise. Throws UserError where any of it had no place; not where the reader of a pipe has seen enough.
void require_printed();

}  // namespace imgsim::app
