// A library must have a source before its operators are there.
