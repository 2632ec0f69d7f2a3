/// Reason phrases of the status codes that the server sends (RFC 3261 §21 and the extensions that define them).
public enum StatusCode {
  /// The customary reason phrase of a code; the phrase of its class for a code that the server has none for.
  public static func reason(_ status: Int) -> StaticString {
    switch status {
    case 100: "Trying"
    case 200: "OK"
    case 202: "Accepted"
    case 400: "Bad Request"
    case 401: "Unauthorized"
    case 403: "Forbidden"
    case 404: "Not Found"
    case 405: "Method Not Allowed"
    case 407: "Proxy Authentication Required"
    case 408: "Request Timeout"
    case 413: "Request Entity Too Large"
    case 416: "Unsupported URI Scheme"
    case 420: "Bad Extension"
    case 423: "Interval Too Brief"
    case 430: "Flow Failed"
    case 439: "First Hop Lacks Outbound Support"
    case 440: "Max-Breadth Exceeded"
    case 480: "Temporarily Unavailable"
    case 481: "Call/Transaction Does Not Exist"
    case 482: "Loop Detected"
    case 483: "Too Many Hops"
    case 487: "Request Terminated"
    case 500: "Server Internal Error"
    case 501: "Not Implemented"
    case 502: "Bad Gateway"
    case 503: "Service Unavailable"
    case 504: "Server Time-out"
    case 505: "Version Not Supported"
    case 513: "Message Too Large"
    case 100..<200: "Progress"
    case 200..<300: "Success"
    case 300..<400: "Redirection"
    case 400..<500: "Request Failure"
    case 500..<600: "Server Failure"
    default: "Global Failure"
    }
  }
}
