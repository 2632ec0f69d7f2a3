import Glibc
import Worker

exit(runWorker(Array(CommandLine.arguments.dropFirst())))
