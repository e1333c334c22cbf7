// What the doctor found, as text and as JSON.
#pragma once

#include <string>

#include "mxdit/doctor.h"

namespace mxdit::cli {

// A line of the table, behind a heading where the group is another than `last_group`.
std::string check_text(const DoctorCheck& check, const std::string& last_group);
// The last line: how many checks of which outcome.
std::string verdict_text(const DoctorReport& report);
// With the device's report, and the environment variables that CANN reads.
std::string doctor_json(const DoctorReport& report);

}  // namespace mxdit::cli
