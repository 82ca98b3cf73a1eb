//! The auscult command line.

fn main() {}
