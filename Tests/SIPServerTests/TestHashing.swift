import Structures

/// Real hash functions, written to be read, with fixed keys and a random source that repeats itself.
final class TestHashing: Hashing {
  private var state: UInt64
  private let key: [UInt8]

  init(seed: UInt64 = 1, key: String = "a key for tests") {
    state = seed
    self.key = Array(key.utf8)
  }

  func shortMAC(_ octets: Span<UInt8>) -> UInt64 {
    hmac("short", bytes(octets)).prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
  }

  func appendHash(_ algorithm: HashAlgorithm, _ octets: Span<UInt8>, to output: inout [UInt8]) {
    switch algorithm {
    case .md5: output += MD5.hash(bytes(octets))
    case .sha256: output += SHA256.hash(bytes(octets))
    case .sha512_256: output += SHA512.hash256(bytes(octets))
    }
  }

  func appendMAC(_ octets: Span<UInt8>, to output: inout [UInt8]) {
    output += hmac("nonce", bytes(octets))
  }

  func seal(_ octets: Span<UInt8>, to output: inout [UInt8]) {
    let plain = bytes(octets)
    let tag = Array(hmac("seal", plain).prefix(16))
    output += tag
    output += cover(plain, tag)
  }

  func open(_ octets: Span<UInt8>, to output: inout [UInt8]) -> Bool {
    let sealed = bytes(octets)
    guard sealed.count >= 16 else { return false }
    let tag = Array(sealed[..<16])
    let plain = cover(Array(sealed[16...]), tag)
    guard Array(hmac("seal", plain).prefix(16)) == tag else { return false }
    output += plain
    return true
  }

  /// splitmix64
  func randomWord() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var word = state
    word = (word ^ word >> 30) &* 0xBF58_476D_1CE4_E5B9
    word = (word ^ word >> 27) &* 0x94D0_49BB_1331_11EB
    return word ^ word >> 31
  }

  private func cover(_ octets: [UInt8], _ tag: [UInt8]) -> [UInt8] {
    var stream: [UInt8] = []
    while stream.count < octets.count { stream += hmac("stream", tag + [UInt8(stream.count >> 5 & 0xFF)]) }
    return zip(octets, stream).map { $0 ^ $1 }
  }

  /// RFC 2104 §2
  private func hmac(_ purpose: String, _ octets: [UInt8]) -> [UInt8] {
    let block = SHA256.hash(key + Array(purpose.utf8)) + Array(repeating: 0, count: 32)
    return SHA256.hash(block.map { $0 ^ 0x5C } + SHA256.hash(block.map { $0 ^ 0x36 } + octets))
  }

  private func bytes(_ octets: Span<UInt8>) -> [UInt8] {
    var copy: [UInt8] = []
    copy.append(octets)
    return copy
  }
}

/// The message with its padding and length, in blocks (FIPS 180-4 §5.1; MD5 alike).
private func padded(_ octets: [UInt8], block: Int, isBigEndian: Bool) -> [[UInt8]] {
  var message = octets + [0x80]
  while message.count % block != block - block / 8 { message.append(0) }
  // The length has an eighth of a block; all that tests hash is counted by its last eight octets.
  if block == 128 { message += Array(repeating: 0, count: 8) }
  let length = (0..<8).map { UInt8(truncatingIfNeeded: UInt64(octets.count * 8) >> UInt64($0 * 8)) }
  message += isBigEndian ? length.reversed() : length
  return stride(from: 0, to: message.count, by: block).map { Array(message[$0..<$0 + block]) }
}

/// MD5, with its words in little-endian order
enum MD5 {
  private static let shifts: [UInt32] = [7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21]
  private static let sines: [UInt32] = [
    0xd76a_a478, 0xe8c7_b756, 0x2420_70db, 0xc1bd_ceee, 0xf57c_0faf, 0x4787_c62a, 0xa830_4613, 0xfd46_9501,
    0x6980_98d8, 0x8b44_f7af, 0xffff_5bb1, 0x895c_d7be, 0x6b90_1122, 0xfd98_7193, 0xa679_438e, 0x49b4_0821,
    0xf61e_2562, 0xc040_b340, 0x265e_5a51, 0xe9b6_c7aa, 0xd62f_105d, 0x0244_1453, 0xd8a1_e681, 0xe7d3_fbc8,
    0x21e1_cde6, 0xc337_07d6, 0xf4d5_0d87, 0x455a_14ed, 0xa9e3_e905, 0xfcef_a3f8, 0x676f_02d9, 0x8d2a_4c8a,
    0xfffa_3942, 0x8771_f681, 0x6d9d_6122, 0xfde5_380c, 0xa4be_ea44, 0x4bde_cfa9, 0xf6bb_4b60, 0xbebf_bc70,
    0x289b_7ec6, 0xeaa1_27fa, 0xd4ef_3085, 0x0488_1d05, 0xd9d4_d039, 0xe6db_99e5, 0x1fa2_7cf8, 0xc4ac_5665,
    0xf429_2244, 0x432a_ff97, 0xab94_23a7, 0xfc93_a039, 0x655b_59c3, 0x8f0c_cc92, 0xffef_f47d, 0x8584_5dd1,
    0x6fa8_7e4f, 0xfe2c_e6e0, 0xa301_4314, 0x4e08_11a1, 0xf753_7e82, 0xbd3a_f235, 0x2ad7_d2bb, 0xeb86_d391,
  ]

  static func hash(_ octets: [UInt8]) -> [UInt8] {
    var state: [UInt32] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476]
    for block in padded(octets, block: 64, isBigEndian: false) {
      let words = (0..<16).map { word in (0..<4).reduce(UInt32(0)) { $0 | UInt32(block[word * 4 + $1]) << ($1 * 8) } }
      var (a, b, c, d) = (state[0], state[1], state[2], state[3])
      for step in 0..<64 {
        let (mix, index): (UInt32, Int) =
          switch step / 16 {
          case 0: (b & c | ~b & d, step)
          case 1: (d & b | ~d & c, (5 * step + 1) % 16)
          case 2: (b ^ c ^ d, (3 * step + 5) % 16)
          default: (c ^ (b | ~d), 7 * step % 16)
          }
        let sum = a &+ mix &+ sines[step] &+ words[index]
        let shift = shifts[step / 16 * 4 + step % 4]
        (a, d, c, b) = (d, c, b, b &+ (sum << shift | sum >> (32 - shift)))
      }
      state = zip(state, [a, b, c, d]).map { $0 &+ $1 }
    }
    return state.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> ($0 * 8)) } }
  }
}

/// FIPS 180-4 §6.2
enum SHA256 {
  private static let constants = SHA512.constants.prefix(64).map { UInt32($0 >> 32) }

  static func hash(_ octets: [UInt8]) -> [UInt8] {
    var state: [UInt32] = [
      0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19,
    ]
    func turned(_ word: UInt32, _ count: UInt32) -> UInt32 { word >> count | word << (32 - count) }
    for block in padded(octets, block: 64, isBigEndian: true) {
      var words = (0..<16).map { word in (0..<4).reduce(UInt32(0)) { $0 << 8 | UInt32(block[word * 4 + $1]) } }
      for index in 16..<64 {
        let (low, high) = (words[index - 15], words[index - 2])
        let first = turned(low, 7) ^ turned(low, 18) ^ low >> 3
        let second = turned(high, 17) ^ turned(high, 19) ^ high >> 10
        words.append(words[index - 16] &+ first &+ words[index - 7] &+ second)
      }
      var h = state
      for index in 0..<64 {
        let upper = turned(h[4], 6) ^ turned(h[4], 11) ^ turned(h[4], 25)
        let choice = h[4] & h[5] ^ ~h[4] & h[6]
        let first = h[7] &+ upper &+ choice &+ constants[index] &+ words[index]
        let lower = turned(h[0], 2) ^ turned(h[0], 13) ^ turned(h[0], 22)
        let majority = h[0] & h[1] ^ h[0] & h[2] ^ h[1] & h[2]
        h = [first &+ lower &+ majority, h[0], h[1], h[2], h[3] &+ first, h[4], h[5], h[6]]
      }
      state = zip(state, h).map { $0 &+ $1 }
    }
    return state.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (24 - $0 * 8)) } }
  }
}

/// FIPS 180-4 §6.4, with the start values of §5.3.6.2
enum SHA512 {
  /// The fractions of the cube roots of the first 80 primes; their upper halves serve SHA-256.
  static let constants: [UInt64] = [
    0x428a_2f98_d728_ae22, 0x7137_4491_23ef_65cd, 0xb5c0_fbcf_ec4d_3b2f, 0xe9b5_dba5_8189_dbbc,
    0x3956_c25b_f348_b538, 0x59f1_11f1_b605_d019, 0x923f_82a4_af19_4f9b, 0xab1c_5ed5_da6d_8118,
    0xd807_aa98_a303_0242, 0x1283_5b01_4570_6fbe, 0x2431_85be_4ee4_b28c, 0x550c_7dc3_d5ff_b4e2,
    0x72be_5d74_f27b_896f, 0x80de_b1fe_3b16_96b1, 0x9bdc_06a7_25c7_1235, 0xc19b_f174_cf69_2694,
    0xe49b_69c1_9ef1_4ad2, 0xefbe_4786_384f_25e3, 0x0fc1_9dc6_8b8c_d5b5, 0x240c_a1cc_77ac_9c65,
    0x2de9_2c6f_592b_0275, 0x4a74_84aa_6ea6_e483, 0x5cb0_a9dc_bd41_fbd4, 0x76f9_88da_8311_53b5,
    0x983e_5152_ee66_dfab, 0xa831_c66d_2db4_3210, 0xb003_27c8_98fb_213f, 0xbf59_7fc7_beef_0ee4,
    0xc6e0_0bf3_3da8_8fc2, 0xd5a7_9147_930a_a725, 0x06ca_6351_e003_826f, 0x1429_2967_0a0e_6e70,
    0x27b7_0a85_46d2_2ffc, 0x2e1b_2138_5c26_c926, 0x4d2c_6dfc_5ac4_2aed, 0x5338_0d13_9d95_b3df,
    0x650a_7354_8baf_63de, 0x766a_0abb_3c77_b2a8, 0x81c2_c92e_47ed_aee6, 0x9272_2c85_1482_353b,
    0xa2bf_e8a1_4cf1_0364, 0xa81a_664b_bc42_3001, 0xc24b_8b70_d0f8_9791, 0xc76c_51a3_0654_be30,
    0xd192_e819_d6ef_5218, 0xd699_0624_5565_a910, 0xf40e_3585_5771_202a, 0x106a_a070_32bb_d1b8,
    0x19a4_c116_b8d2_d0c8, 0x1e37_6c08_5141_ab53, 0x2748_774c_df8e_eb99, 0x34b0_bcb5_e19b_48a8,
    0x391c_0cb3_c5c9_5a63, 0x4ed8_aa4a_e341_8acb, 0x5b9c_ca4f_7763_e373, 0x682e_6ff3_d6b2_b8a3,
    0x748f_82ee_5def_b2fc, 0x78a5_636f_4317_2f60, 0x84c8_7814_a1f0_ab72, 0x8cc7_0208_1a64_39ec,
    0x90be_fffa_2363_1e28, 0xa450_6ceb_de82_bde9, 0xbef9_a3f7_b2c6_7915, 0xc671_78f2_e372_532b,
    0xca27_3ece_ea26_619c, 0xd186_b8c7_21c0_c207, 0xeada_7dd6_cde0_eb1e, 0xf57d_4f7f_ee6e_d178,
    0x06f0_67aa_7217_6fba, 0x0a63_7dc5_a2c8_98a6, 0x113f_9804_bef9_0dae, 0x1b71_0b35_131c_471b,
    0x28db_77f5_2304_7d84, 0x32ca_ab7b_40c7_2493, 0x3c9e_be0a_15c9_bebc, 0x431d_67c4_9c10_0d4c,
    0x4cc5_d4be_cb3e_42b6, 0x597f_299c_fc65_7e2a, 0x5fcb_6fab_3ad6_faec, 0x6c44_198c_4a47_5817,
  ]

  static func hash256(_ octets: [UInt8]) -> [UInt8] {
    var state: [UInt64] = [
      0x2231_2194_fc2b_f72c, 0x9f55_5fa3_c84c_64c2, 0x2393_b86b_6f53_b151, 0x9638_7719_5940_eabd,
      0x9628_3ee2_a88e_ffe3, 0xbe5e_1e25_5386_3992, 0x2b01_99fc_2c85_b8aa, 0x0eb7_2ddc_81c5_2ca2,
    ]
    func turned(_ word: UInt64, _ count: UInt64) -> UInt64 { word >> count | word << (64 - count) }
    for block in padded(octets, block: 128, isBigEndian: true) {
      var words = (0..<16).map { word in (0..<8).reduce(UInt64(0)) { $0 << 8 | UInt64(block[word * 8 + $1]) } }
      for index in 16..<80 {
        let (low, high) = (words[index - 15], words[index - 2])
        let first = turned(low, 1) ^ turned(low, 8) ^ low >> 7
        let second = turned(high, 19) ^ turned(high, 61) ^ high >> 6
        words.append(words[index - 16] &+ first &+ words[index - 7] &+ second)
      }
      var h = state
      for index in 0..<80 {
        let upper = turned(h[4], 14) ^ turned(h[4], 18) ^ turned(h[4], 41)
        let choice = h[4] & h[5] ^ ~h[4] & h[6]
        let first = h[7] &+ upper &+ choice &+ constants[index] &+ words[index]
        let lower = turned(h[0], 28) ^ turned(h[0], 34) ^ turned(h[0], 39)
        let majority = h[0] & h[1] ^ h[0] & h[2] ^ h[1] & h[2]
        h = [first &+ lower &+ majority, h[0], h[1], h[2], h[3] &+ first, h[4], h[5], h[6]]
      }
      state = zip(state, h).map { $0 &+ $1 }
    }
    return state.prefix(4).flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> (56 - $0 * 8)) } }
  }
}
