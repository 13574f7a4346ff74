//! Service discovery: static and file.
