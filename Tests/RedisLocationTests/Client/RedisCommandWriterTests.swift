import RedisLocation
import Structures
import Testing

@Suite("Commands for a Redis server")
struct RedisCommandWriterTests {
  @Test("a command is an array of bulk strings")
  func command() {
    var writer = RedisCommandWriter()
    writer.begin(4)
    writer.argument("SET")
    let (prefix, name, value) = (octets("apus:"), octets("key"), octets("a\r\nb"))
    writer.argument(prefix.span, name.span)
    writer.argument(value.span)
    writer.argument(prefix.span, name.span, value.span)
    #expect(writer.octets == octets("*4\r\n$3\r\nSET\r\n$8\r\napus:key\r\n$4\r\na\r\nb\r\n$12\r\napus:keya\r\nb\r\n"))
  }

  @Test(
    "a number is written in decimal with its length",
    arguments: [0, 9, 10, 99, 100, -1, 1_234_567, Int64.max, Int64.min])
  func numbers(number: Int64) {
    var writer = RedisCommandWriter()
    writer.begin(1)
    writer.argument(decimal: number)
    #expect(writer.octets == octets("*1\r\n$\("\(number)".utf8.count)\r\n\(number)\r\n"))
  }

  @Test("commands follow one another, and an empty argument is one")
  func several() {
    var writer = RedisCommandWriter()
    writer.begin(1)
    writer.argument("PING")
    writer.begin(2)
    writer.argument("GET")
    writer.argument("")
    #expect(writer.octets == octets("*1\r\n$4\r\nPING\r\n*2\r\n$3\r\nGET\r\n$0\r\n\r\n"))
  }

  @Test("what was cleared is gone, and its memory is used again")
  func clear() {
    var writer = RedisCommandWriter()
    for _ in 0..<2 {
      writer.clear()
      #expect(writer.octets.isEmpty)
      writer.begin(1)
      writer.argument("PING")
    }
    #expect(writer.octets == octets("*1\r\n$4\r\nPING\r\n"))
    let capacity = writer.octets.capacity
    writer.clear()
    #expect(writer.octets.capacity == capacity)
  }
}
