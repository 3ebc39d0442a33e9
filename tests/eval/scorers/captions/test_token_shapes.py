"""Token shapes equal Java's tokens, kind by kind, on lines of our own; and on made ones where Java is."""

import random

import pytest

from safe_eval.scorers.captions.java_tokens import java_tokens, why_no_java_tokens
from safe_eval.scorers.captions.tokens import tokenize

# What Java's tokenizer gave, each line before the line "two dogs".
RECORDED = {
    "n't, 's and other apostrophes": [
        ("don't can't isn't n't", "do n't ca n't is n't n't"),
        ("mac 'n cheese, rock 'n' roll", "mac 'n cheese , rock 'n' roll"),
        ("m 'n m's", "m 'n m 's"),
        ("fuck'n and 'em and 'emilia", "fuck 'n and 'em and 'em ilia"),
        ("twenty 'til 5, 'tilt", "twenty 'til 5 , 'til t"),
        ("'twas and 'tis", "'t was and 't is"),
        ("y'all and j'ai", "y' all and j' ai"),
        ("c'est, n'est and d'or", "c'est , n'est and d'or"),
        ("c’est, cap’n, o`o and cont’d", "c’est , cap’n , o`o and cont 'd"),
        ("the '11 and '90s and 60's-70's", "the '11 and '90s and 60 's -70 's"),
        ("12-o'clock and a-o'x", "12-o'clock and a-o ' x"),
        ("'sécurité' and 'secret'", "'s écurité ' and ` secret '"),
        ("the letter 'p' and a 'f'", "the letter ` p ' and a ` f '"),
        ("language-can't read", "language-can ' t read"),
        ("don’t and o’clock and it’s", "do n't and o’clock and it 's"),
        ("don`t and I`m", "do n`t and i ` m"),
        ("cont'd. and nor'easter", "cont'd. and nor'easter"),
        ("it&apos;s O'Neil's", "it 's o'neil 's"),
    ],
    "abbreviations": [
        ("Josselson Bros. and brewing co. today", "josselson bros. and brewing co. today"),
        ("mich. ann arbor, calif. wine", "mich. ann arbor , calif. wine"),
        ("est. 1946, rev. x", "est. 1946 , rev. x"),
        ("mon. mar. 30th", "mon. mar. 30th"),
        ("mon.mar.30th", "mon.mar .30 th"),
        ("no.2 and vol.1 and p.40", "no. 2 and vol .1 and p. 40"),
        ("nov.26,2009", "nov. 26,2009"),
        ("sept.18 2010 and e.85 st", "sept. 18 2010 and e. 85 st"),
        ("rd.a and rd.-a but dr.a", "rd. a and rd. - a but dr.a"),
        ("inc.com and co.uk", "inc.com and co.uk"),
        ("messrs. x and comdr. y", "messrs. x and comdr. y"),
        ("Ph.D. x and M.Sc. y", "ph.d. x and m.sc . y"),
        ("U.S.-based and non-U.S. x", "u.s.-based and non-u.s. x"),
        ("a.m.-5 5p.m. 5 p.m.", "a.m.-5 5p . m. 5 p.m."),
        ("fig. 3 but a fig. x", "fig. 3 but a fig . x"),
        ("yy., and x5.; a_b.:", "yy. , and x5. ; a_b. :"),
    ],
    "numbers": [
        ("2.0km at 11.00etan", "2.0 km at 11.00 etan"),
        ("1.5m 8.90c 802.11n", "1.5 m 8.90 c 802.11 n"),
        ("v270.09 and 9x8.5x4", "v270 .09 and 9x8 .5 x4"),
        ("8.04,8.07 5.1+0.1", "8.04,8.07 5.1 +0.1"),
        ("10:00-9:00 and 6,-14", "10:00 -9:00 and 6,-14"),
        ("2 women,2 children", "2 women ,2 children"),
        ("3-9.11.12 and 5.-b", "3-9 .11.12 and 5.-b"),
        ('2 :51 number is:80 :6"', "2 :51 number is :80 :6 ''"),
        ("018 399 5551 and 773 684-7000", "018\u00a0399\u00a05551 and 773\u00a0684-7000"),
        ("(555) 555-1234 and (55) 555", "-lrb-555-rrb-\u00a0555-1234 and -lrb- 55 -rrb- 555"),
        ("04 07 2012 803", "04\u00a007\u00a02012\u00a0803"),
        ("+44 20 7946 0958", "+44\u00a020\u00a07946\u00a00958"),
        ("2/5.00 4.99/kg 1.99/lb", "2/5 .00 4.99 / kg 1.99 / lb"),
        ("12?20 and 10/12/2011", "12 ? 20 and 10/12/2011"),
        ("½ cup, 1½ and 2²", "1/2 cup , 1 1/2 and 2 ²"),
        ("(5) (-5) -(5)", "-lrb- 5 -rrb- -lrb- -5 -rrb- - -lrb- 5 -rrb-"),
    ],
    "money": [
        ("£13.99 and £1", "# 13.99 and # 1"),
        ("44.99 € and 10€", "44.99 $ and 10 $"),
        ("US$5 A$ a$5", "us$ 5 a$ a $ 5"),
        ("5¢ ¥7 ¤", "5 cents ¥ 7 $"),
    ],
    "networks": [
        ("c++ book, C# and F# x", "c++ book , c# and f# x"),
        ("#sinaps2015 #beer day #a_b ##", "#sinaps 2015 #beer day #a _ b ##"),
        ("@aden_76 and rahman@idris 5@b", "@aden_76 and rahman@idris 5@b"),
        ("london-underground.blogspot.com", "london-underground . blogspot.com"),
        ("london-underground-blogspot.com", "london-underground-blogspot . com"),
        ("1848.co.il and phare-conference.eu", "1848 . co.il and phare-conference . eu"),
        ("tealhttps://wwwyoutubecom/watch?v=dpc", "tealhttps : / / wwwyoutubecom/watch ? v = dpc"),
        ("http://a.b/c?d=e, and (https://x.y).", "http://a.b/c?d=e , and -lrb- https://x.y -rrb- ."),
        ("www.a.bc/de. and a.com/b", "www.a.bc/de . and a.com / b"),
        ("me@x.org, <a@b> and a.@b", "me@x.org, <a@b> and a.@b"),
        ("foo.jpg, 1a.pdf 1a.pdf! 1a.x# 1a.jpgs", "foo.jpg , 1a.pdf 1a.pdf ! 1a . x # 1a . jpgs"),
        ("&amp; &lt;b&gt; &quot; &mdash; &eacute; &copy;", "& < b > '' -- &eacute; & copy ;"),
        ("<b>bold</b> <a href='x y'> <a href=x>", "<b> bold </b> <a\u00a0href='x\u00a0y'> < a href = x >"),
    ],
    "slashes and hyphens": [
        ("black/red/pink/grey", "black/red/pink / grey"),
        ("white/blue/red/green black", "white/blue/red / green black"),
        ("a-b/c a/b-c é/b", "a-b/c a/b-c é / b"),
        ("1/2/3 a\\/b \\* \\", "1/2/3 a\\/b \\* \\"),
        ("a_b a__b __a img_1234.jpg", "a_b a __ b __ a img_1234 . jpg"),
        ("-- ---- ----- –—", "-- -- ----- -- --"),
        ("pro-life and pro- anti-", "pro-life and pro- anti-"),
        ("u.s. highway is shown.3", "u.s. highway is shown .3"),
        ("6,14-15 and a,b,c-d", "6,14-15 and a,b,c-d"),
    ],
    "faces": [
        (":-) no", ":--rrb- no"),
        ("x:) :D ;P =] :Da", "x :-rrb- :d ;p =] : da"),
        ("^_^ o_O (^_^) >_<", "^_^ o_o -lrb-^_^-rrb- >_<"),
    ],
    "quotes": [
        ("«a» »z« ‹q› „x“", "`` a '' '' z `` ` q ' „ x ``"),
        ('"a" "$5" "!x" "é"', "`` a '' `` $ 5 '' '' ! x '' '' é ''"),
        ("‘hi’ “`x” ’’’", "` hi ' ``` x '' '' '"),
        ("'a' 'A x '5'", "` a ' ' a x ' 5 '"),
    ],
    "other scripts": [
        ("हूँ नमस्ते", "हूँ नमस्ते"),
        ("你好。 日本語テスト", "你好 。 日本語テスト"),
        ("cafe\u0301 so\u00adft \u00ad", "cafe\u0301 soft -"),
        ("a \U0001f3b8! x\U0001f600y", "a ! x y"),
        ("π(q²)/q² ① ©", "π -lrb- q ² -rrb- / q ² ① ©"),
    ],
    "periods": [
        ("...... .. a.. a...", "... . . . a. . a. . ."),
        (". . . and . . x", "... and . . x"),
        ("TV.. what?! ¿x", "tv . . what ?! ¿ x"),
        ("K.5 D.C.5 x.The", "k. 5 d.c. 5 x.the"),
    ],
}
LINES = [(kind, line, tokens) for kind, lines in RECORDED.items() for line, tokens in lines]
PIECES = r"""
a A K T The I x Dog dogs don't n't 's 'll 're s' o' O' d' y' 'n' 'n 'em 'til ' '' " ` `` ’ ‘ “ ” .
.. ... … , ; : ? ! ?! - -- – _ / \ & &amp; &lt; &apos; < > << <b> </b> ( ) [ ] { } @ # $ US$ £ € ¢ %
* ** + c++ = ~ ^ ½ ² 1 2 12 55 123 2011 1234 1.5 .5 1,000 6:40 :30 1/2 10/12/2011 -5 5th 1.5m p.m.
U.S. U.S D.C. e.g. Ph.D. Mr. St. Rd. rd. etc. Inc. co. no. No. fig. Jan. :) :-( =D ^_^ http://a.b/c
www.a.com .com a@b.c @user #tag foo.jpg AT&T M&Ms cannot gonna black-and-white and/or B-52 é café
हूँ 你好 。 '11 '90s 1990's 25 555-1234 (555) 555 800
"""


@pytest.mark.parametrize(("kind", "line", "expected"), LINES)
def test_recorded_lines(kind: str, line: str, expected: str) -> None:
    assert tokenize([line, "two dogs"], keep_punctuation=True)[0] == expected, kind


@pytest.mark.skipif(why_no_java_tokens() is not None, reason="needs Java and pycocoevalcap")
@pytest.mark.parametrize("seed", [0, 1])
def test_made_lines_have_the_tokens_that_java_gives(seed: int) -> None:
    draw = random.Random(seed)
    pieces = PIECES.split()
    lines = ["".join(draw.choice(pieces) + draw.choice(["", " "]) for _ in range(6)) for _ in range(3000)]
    expected = java_tokens(lines, keep_punctuation=True)
    differing = [
        pair
        for pair in zip(lines, tokenize(lines, keep_punctuation=True), expected, strict=True)
        if pair[1] != pair[2]
    ]
    assert differing == []
