import Worker

runWorker(Array(CommandLine.arguments.dropFirst()))
