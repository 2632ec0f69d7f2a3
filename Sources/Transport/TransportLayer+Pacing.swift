import Reactor
import Structures

/// Something that brings messages when it is its turn.
protocol PacedReader: AnyObject {
  /// Stands in the layer's queue.
  var isWaitingToRead: Bool { get set }
  /// Delivers a bounded number of messages; whoever has more asks for another turn.
  func readMore()
}

/// Who may bring messages, and when: a turn of the loop stays short however many messages wait, so that timers, handshakes and everybody
/// else's messages don't. What doesn't fit into a turn waits in one queue, each reader once, and is served in order.
extension TransportLayer {
  /// A reader has something: it is read at once if there is time left in this turn and nobody waits longer.
  func serve(_ reader: any PacedReader) {
    if reader.isWaitingToRead { return }
    if waitingReaders.isEmpty, hasTimeToRead {
      run(reader)
    } else {
      queueReader(reader)
    }
  }

  /// Gives a reader another turn after all that wait.
  func queueReader(_ reader: any PacedReader) {
    if reader.isWaitingToRead { return }
    reader.isWaitingToRead = true
    waitingReaders.append(reader)
  }

  /// At the end of a turn: those who wait, each once, as long as there is time.
  func serveWaiting() {
    if waitingReaders.isEmpty { return }
    let count = waitingReaders.count
    var position = 0
    while position < count, hasTimeToRead {
      let reader = waitingReaders[position]
      position += 1
      reader.isWaitingToRead = false
      run(reader)
    }
    waitingReaders.removeFirst(position)
    if !waitingReaders.isEmpty { loop.turnAgain() }
  }

  private var hasTimeToRead: Bool {
    if readingTurn != loop.now {
      readingTurn = loop.now
      readingWork = .zero
    }
    return readingWork < settings.messageBudget
  }

  private func run(_ reader: any PacedReader) {
    let start = System.monotonicNow
    reader.readMore()
    readingWork += System.monotonicNow - start
  }
}
