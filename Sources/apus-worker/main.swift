import Worker

exit(status: runWorker(Array(CommandLine.arguments.dropFirst())))
