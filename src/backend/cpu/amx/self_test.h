#pragma once

namespace mxdit::cpu::amx {

// May end the process by SIGILL. The system's permission to use tiles has been asked for.
bool products_are_right() noexcept;

}  // namespace mxdit::cpu::amx
