import Admin

runAdmin(Array(CommandLine.arguments.dropFirst()))
