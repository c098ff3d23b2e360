// Package options reads what the cvmfs2 command is told: its command line and its
// configuration files.
//
// A start has three layers. [ParseArgs] turns the arguments into a [Command]. The
// files it names (or, without any, the default files of [DefaultFiles]) are
// evaluated in order into [Parameters], a set of CVMFS_* texts that remember the
// file they came from. [FromParameters] makes of them [Options]: typed values with
// units and the documented defaults, which is all that the rest of the client
// sees.
//
// Two parsers exist. The files of a plain installation are shell, and an
// [Evaluator] runs them. A file written by our own runtime is literal and is read
// by [ParseSimple] (`-o simple_options_parsing`); nothing in it is expanded but
// the templates @fqrn@ and @org@.
//
// Sources: CVMFS client 2.12, cvmfs/loader.cc (command line), cvmfs/options.cc
// (files, values), cvmfs/mountpoint.cc and the documentation's parameter list
// (defaults).
package options
